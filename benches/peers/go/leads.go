package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	customer "leash.example/peer/gen/moego/business/customer/v1"
)

type leads struct {
	customer.UnimplementedLeadServiceServer
	pool  *pgxpool.Pool
	known *known
}

const (
	getLead     = `SELECT ` + leadColumns + ` FROM lead WHERE id = $1 AND ($2::text[] IS NULL OR company_id = ANY($2))`
	petsOfLead  = `SELECT ` + petColumns + ` FROM pet WHERE lead_id = $1 AND company_id = $2 ORDER BY position`
	petsOfLeads = `SELECT ` + petColumns + ` FROM pet WHERE company_id = $1 AND lead_id = ANY($2) ORDER BY position`
)

func (l *leads) GetLead(ctx context.Context, request *customer.GetLeadRequest) (*customer.Lead, error) {
	if request.Id == "" {
		return nil, status.Error(codes.InvalidArgument, "id: is required")
	}
	key := keyOf(ctx)
	if len(key.companies) == 1 {
		return l.getOf(ctx, key.companies[0], request.Id)
	}
	rows, err := l.pool.Query(ctx, getLead, request.Id, key.companies)
	if err != nil {
		return nil, failed(err)
	}
	found, err := pgx.CollectOneRow(rows, l.known.readLead)
	if err != nil {
		return nil, failed(err)
	}
	return found.message, l.addPets(ctx, found.message.CompanyId, []*customer.Lead{found.message})
}

// Where the company is known, both statements go in one round trip.
func (l *leads) getOf(ctx context.Context, company, id string) (*customer.Lead, error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT `+leadColumns+` FROM lead WHERE id = $1 AND company_id = $2`, id, company)
	batch.Queue(petsOfLead, id, company)
	results := l.pool.SendBatch(ctx, batch)
	defer results.Close()
	rows, err := results.Query()
	if err != nil {
		return nil, failed(err)
	}
	found, err := pgx.CollectOneRow(rows, l.known.readLead)
	if err != nil {
		return nil, failed(err)
	}
	if rows, err = results.Query(); err != nil {
		return nil, failed(err)
	}
	pets, err := pgx.CollectRows(rows, readPet)
	if err != nil {
		return nil, failed(err)
	}
	for _, pet := range pets {
		found.message.Pets = append(found.message.Pets, pet.message)
	}
	return found.message, nil
}

func (l *leads) ListLeads(ctx context.Context, request *customer.ListLeadsRequest) (*customer.ListLeadsResponse, error) {
	size := request.GetPagination().GetPageSize()
	if size < 1 || size > 500 {
		return nil, status.Error(codes.InvalidArgument, "pagination.page_size: must be 1 to 500")
	}
	if request.CompanyId == "" {
		return nil, status.Error(codes.InvalidArgument, "company_id: is required")
	}
	if !keyOf(ctx).reaches(request.CompanyId) {
		return nil, status.Error(codes.PermissionDenied, "the API key does not reach this company")
	}
	sql, values, err := selectPage(request, size)
	if err != nil {
		return nil, err
	}
	rows, err := l.pool.Query(ctx, sql, values...)
	if err != nil {
		return nil, failed(err)
	}
	found, err := pgx.CollectRows(rows, l.known.readLead)
	if err != nil {
		return nil, failed(err)
	}
	answer := &customer.ListLeadsResponse{}
	if len(found) > int(size) {
		found = found[:size]
		answer.NextPageToken = tokenAfter(found[size-1])
	}
	for _, row := range found {
		answer.Leads = append(answer.Leads, row.message)
	}
	return answer, l.addPets(ctx, request.CompanyId, answer.Leads)
}

func (l *leads) addPets(ctx context.Context, company string, leads []*customer.Lead) error {
	byId := make(map[string]*customer.Lead, len(leads))
	ids := make([]string, 0, len(leads))
	for _, lead := range leads {
		byId[lead.Id] = lead
		ids = append(ids, lead.Id)
	}
	rows, err := l.pool.Query(ctx, petsOfLeads, company, ids)
	if err != nil {
		return failed(err)
	}
	pets, err := pgx.CollectRows(rows, readPet)
	if err != nil {
		return failed(err)
	}
	for _, pet := range pets {
		owner := byId[pet.lead]
		owner.Pets = append(owner.Pets, pet.message)
	}
	return nil
}

// One row more than asked for tells whether there is another page.
func selectPage(request *customer.ListLeadsRequest, size int32) (string, []any, error) {
	var sql strings.Builder
	values := []any{request.CompanyId}
	sql.WriteString(`SELECT ` + leadColumns + ` FROM lead WHERE company_id = $1`)
	and := func(condition string, more ...any) {
		places := make([]any, len(more))
		for i := range more {
			places[i] = len(values) + 1 + i
		}
		values = append(values, more...)
		fmt.Fprintf(&sql, " AND "+condition, places...)
	}
	filter := request.GetFilter()
	for _, it := range []struct{ column, wanted string }{
		{"life_cycle_id", filter.GetLifeCycleId()},
		{"action_status_id", filter.GetActionStatusId()},
		{"phone", filter.GetMainPhoneNumber()},
		{"email_lower", strings.ToLower(filter.GetEmail())},
		{"referral_source_id", filter.GetReferralSourceId()},
		{"allocate_staff_id", filter.GetAllocateStaffId()},
		{"preferred_business_id", filter.GetPreferredBusinessId()},
	} {
		if it.wanted != "" {
			and(it.column+" = $%d", it.wanted)
		}
	}
	if start := filter.GetLastUpdatedTime().GetStartTime(); start != nil {
		and("last_updated_time >= $%d", start.AsTime())
	}
	if end := filter.GetLastUpdatedTime().GetEndTime(); end != nil {
		and("last_updated_time < $%d", end.AsTime())
	}
	if token := request.Pagination.GetPageToken(); token != "" && token != "1" {
		created, tieBreak, ok := readToken(token)
		if !ok {
			return "", nil, status.Error(codes.InvalidArgument, "pagination.page_token: is not a token of this list")
		}
		and("(created_time, tie_break) < ($%d, $%d)", created, tieBreak)
	}
	values = append(values, size+1)
	fmt.Fprintf(&sql, " ORDER BY created_time DESC, tie_break DESC LIMIT $%d", len(values))
	return sql.String(), values, nil
}

func tokenAfter(row leadRow) string {
	token := binary.BigEndian.AppendUint64(nil, uint64(row.message.CreatedTime.AsTime().UnixMicro()))
	token = binary.BigEndian.AppendUint64(token, uint64(row.tieBreak))
	return base64.RawURLEncoding.EncodeToString(token)
}

func readToken(token string) (time.Time, int64, bool) {
	bytes, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(bytes) != 16 {
		return time.Time{}, 0, false
	}
	created := time.UnixMicro(int64(binary.BigEndian.Uint64(bytes)))
	return created, int64(binary.BigEndian.Uint64(bytes[8:])), true
}

func failed(err error) error {
	switch {
	case err == pgx.ErrNoRows:
		return status.Error(codes.NotFound, "there is no such lead")
	case err == context.Canceled || err == context.DeadlineExceeded:
		return status.FromContextError(err).Err()
	default:
		return status.Error(codes.Internal, "internal error")
	}
}
