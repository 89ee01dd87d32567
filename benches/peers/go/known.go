package main

import (
	"context"
	"crypto/sha256"
	"log"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	setting "leash.example/peer/gen/moego/business/setting/v1"
)

// How old keys and settings may be.
const staleAtMost = 5 * time.Second

type apiKey struct {
	id          string
	companies   []string
	permissions []string
	expires     *time.Time
}

type settings struct {
	lifeCycles       map[string]*setting.LifeCycle
	actionStatuses   map[string]*setting.ActionStatus
	referralSources  map[string]*setting.ReferralSource
	customFields     map[string]bool
	defaultLifeCycle string
}

type snapshot struct {
	keys      map[[sha256.Size]byte]*apiKey
	companies map[string]*settings
}

// known is what is kept in memory: the API keys and the settings of every company.
type known struct {
	pool *pgxpool.Pool
	now  atomic.Pointer[snapshot]
}

func newKnown(ctx context.Context, pool *pgxpool.Pool) (*known, error) {
	k := &known{pool: pool}
	return k, k.read(ctx)
}

func (k *known) refresh(ctx context.Context) {
	ticker := time.NewTicker(staleAtMost)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := k.read(ctx); err != nil && ctx.Err() == nil {
				log.Print(err)
			}
		}
	}
}

func (k *known) read(ctx context.Context) error {
	next := &snapshot{keys: map[[sha256.Size]byte]*apiKey{}, companies: map[string]*settings{}}
	err := each(ctx, k.pool, `SELECT id, secret_sha256, permissions, company_ids, expires_time FROM api_key
		WHERE revoked_time IS NULL`, func(row pgx.CollectableRow) error {
		key, digest := &apiKey{}, []byte{}
		if err := row.Scan(&key.id, &digest, &key.permissions, &key.companies, &key.expires); err != nil {
			return err
		}
		next.keys[[sha256.Size]byte(digest)] = key
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, k.pool, `SELECT id FROM company`, func(row pgx.CollectableRow) error {
		var id string
		err := row.Scan(&id)
		next.companies[id] = &settings{
			lifeCycles:      map[string]*setting.LifeCycle{},
			actionStatuses:  map[string]*setting.ActionStatus{},
			referralSources: map[string]*setting.ReferralSource{},
			customFields:    map[string]bool{},
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := k.readSettings(ctx, next); err != nil {
		return err
	}
	k.now.Store(next)
	return nil
}

func (k *known) readSettings(ctx context.Context, next *snapshot) error {
	err := each(ctx, k.pool, `SELECT company_id, id, name, is_default FROM life_cycle`, func(row pgx.CollectableRow) error {
		var company string
		it := &setting.LifeCycle{}
		err := row.Scan(&company, &it.Id, &it.Name, &it.IsDefault)
		next.companies[company].lifeCycles[it.Id] = it
		if it.IsDefault {
			next.companies[company].defaultLifeCycle = it.Id
		}
		return err
	})
	if err != nil {
		return err
	}
	err = each(ctx, k.pool, `SELECT company_id, id, name, color FROM action_status`, func(row pgx.CollectableRow) error {
		var company string
		it := &setting.ActionStatus{}
		err := row.Scan(&company, &it.Id, &it.Name, &it.Color)
		next.companies[company].actionStatuses[it.Id] = it
		return err
	})
	if err != nil {
		return err
	}
	err = each(ctx, k.pool, `SELECT company_id, id, name FROM referral_source`, func(row pgx.CollectableRow) error {
		var company string
		it := &setting.ReferralSource{}
		err := row.Scan(&company, &it.Id, &it.Name)
		next.companies[company].referralSources[it.Id] = it
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, k.pool, `SELECT company_id, code FROM custom_field WHERE association_type = 2 AND archived_time IS NULL`,
		func(row pgx.CollectableRow) error {
			var company, code string
			err := row.Scan(&company, &code)
			next.companies[company].customFields[code] = true
			return err
		})
}

func each(ctx context.Context, pool *pgxpool.Pool, sql string, take func(pgx.CollectableRow) error) error {
	rows, err := pool.Query(ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, take(row)
	})
	return err
}

func (k *known) settings(company string) *settings {
	return k.now.Load().companies[company]
}

type keyOfCall struct{}

// authenticate lets a call in if its key is live and may do what the method does.
func (k *known) authenticate(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	sent := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(sent) == 0 {
		return nil, status.Error(codes.Unauthenticated, "an API key is required")
	}
	secret := strings.TrimPrefix(sent[0], "Bearer ")
	key := k.now.Load().keys[sha256.Sum256([]byte(secret))]
	if key == nil || key.expires != nil && time.Now().After(*key.expires) {
		return nil, status.Error(codes.Unauthenticated, "the API key is not valid")
	}
	permission := "leads:read"
	if strings.HasSuffix(info.FullMethod, "/CreateLead") {
		permission = "leads:write"
	}
	if !slices.Contains(key.permissions, permission) {
		return nil, status.Error(codes.PermissionDenied, "the API key lacks "+permission)
	}
	return handle(context.WithValue(ctx, keyOfCall{}, key), request)
}

func keyOf(ctx context.Context) *apiKey {
	return ctx.Value(keyOfCall{}).(*apiKey)
}

func (key *apiKey) reaches(company string) bool {
	return key.companies == nil || slices.Contains(key.companies, company)
}
