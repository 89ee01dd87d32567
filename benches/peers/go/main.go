// The leads of leash's contract as a team would serve them in Go: grpc-go and pgx, on leash's own schema.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	customer "leash.example/peer/gen/moego/business/customer/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(os.Getenv("POOL"), 10, 32)
	if err != nil {
		return fmt.Errorf("POOL: %w", err)
	}
	config.MaxConns, config.MinConns = int32(size), int32(size)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()

	known, err := newKnown(ctx, pool)
	if err != nil {
		return err
	}
	go known.refresh(ctx)

	server := grpc.NewServer(grpc.UnaryInterceptor(known.authenticate))
	customer.RegisterLeadServiceServer(server, &leads{pool: pool, known: known})
	listener, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		server.GracefulStop()
	}()
	fmt.Println("listening on", listener.Addr())
	return server.Serve(listener)
}
