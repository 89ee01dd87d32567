package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	customer "leash.example/peer/gen/moego/business/customer/v1"
	setting "leash.example/peer/gen/moego/business/setting/v1"
)

const insertLead = `INSERT INTO lead (company_id, id, tie_break, first_name, last_name, avatar, phone, email, email_lower, address,
	preferred_business_id, allocate_staff_id, life_cycle_id, action_status_id, referral_source_id, compliance_config, custom_fields,
	created_by, created_time, last_updated_by, last_updated_time)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $18, $19)`

const insertPet = `INSERT INTO pet (company_id, id, lead_id, position, name, birthday, status, type, breed, gender, weight, fixed, coat,
	behavior, pet_codes, notes, vaccinations, vet, evaluation_status, photo, deleted, created_time, last_updated_time)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $22)`

var (
	phone       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	email       = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	punctuation = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "")
)

func (l *leads) CreateLead(ctx context.Context, request *customer.CreateLeadRequest) (*customer.Lead, error) {
	key := keyOf(ctx)
	lead, _ := proto.Clone(request.GetLead()).(*customer.Lead)
	if lead == nil {
		lead = &customer.Lead{}
	}
	if lead.CompanyId == "" && len(key.companies) == 1 {
		lead.CompanyId = key.companies[0]
	}
	if !key.reaches(lead.CompanyId) {
		return nil, status.Error(codes.PermissionDenied, "the API key does not reach this company")
	}
	settings := l.known.settings(lead.CompanyId)
	if settings == nil {
		return nil, status.Error(codes.NotFound, "there is no such company")
	}
	if wrong := complete(lead, request.ComplianceConfig, settings); len(wrong) > 0 {
		return nil, status.Error(codes.InvalidArgument, strings.Join(wrong, "; "))
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	stamp(lead, now)

	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		queueLead(batch, lead, key.id, now)
		for position, pet := range lead.Pets {
			queuePet(batch, lead, position, pet, now)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, failed(err)
	}
	return lead, nil
}

// complete puts in what is understood, and says what is wrong.
func complete(lead *customer.Lead, change *customer.CustomerComplianceConfigUpdateDef, settings *settings) (wrong []string) {
	if strings.TrimSpace(lead.FirstName) == "" {
		wrong = append(wrong, "lead.first_name: is required")
	}
	lead.Phone = punctuation.Replace(lead.Phone)
	if !phone.MatchString(lead.Phone) {
		wrong = append(wrong, "lead.phone: is not a phone number")
	}
	if lead.Email != "" && (len(lead.Email) > 254 || !email.MatchString(lead.Email)) {
		wrong = append(wrong, "lead.email: is not an email address")
	}
	wrong = append(wrong, refer(lead, settings)...)
	for i, pet := range lead.Pets {
		if pet.Name == "" || pet.Breed == "" || pet.Type == customer.Pet_TYPE_UNSPECIFIED {
			wrong = append(wrong, fmt.Sprintf("lead.pets[%d]: needs a name, a type and a breed", i))
		}
	}
	for code, given := range lead.CustomFields {
		if !settings.customFields[code] {
			wrong = append(wrong, fmt.Sprintf("lead.custom_fields[%q]: is not a field of this company", code))
		} else if valueOf(given) == nil {
			delete(lead.CustomFields, code)
		}
	}
	if change != nil {
		lead.ComplianceConfig = &customer.CustomerComplianceConfig{
			ServiceRelatedChannels:     change.GetServiceRelatedChannels().GetChannels(),
			MarketingCampaignsChannels: change.GetMarketingCampaignsChannels().GetChannels(),
			BrandedAppEnabled:          change.GetBrandedAppEnabled(),
			IsAgreedMarketingPolicy:    change.GetIsAgreedMarketingPolicy(),
			IsConsented:                change.GetIsConsented(),
		}
	} else if lead.ComplianceConfig == nil {
		lead.ComplianceConfig = &customer.CustomerComplianceConfig{}
	}
	return wrong
}

// refer gives references the names that the company's settings have for them.
func refer(lead *customer.Lead, settings *settings) (wrong []string) {
	if lead.LifeCycle == nil && settings.defaultLifeCycle != "" {
		lead.LifeCycle = &setting.LifeCycle{Id: settings.defaultLifeCycle}
	}
	if lead.LifeCycle != nil {
		if lead.LifeCycle = settings.lifeCycles[lead.LifeCycle.Id]; lead.LifeCycle == nil {
			wrong = append(wrong, "lead.life_cycle.id: is not a life cycle of this company")
		}
	}
	if lead.ActionStatus != nil {
		if lead.ActionStatus = settings.actionStatuses[lead.ActionStatus.Id]; lead.ActionStatus == nil {
			wrong = append(wrong, "lead.action_status.id: is not an action status of this company")
		}
	}
	if lead.ReferralSource != nil {
		if lead.ReferralSource = settings.referralSources[lead.ReferralSource.Id]; lead.ReferralSource == nil {
			wrong = append(wrong, "lead.referral_source.id: is not a referral source of this company")
		}
	}
	return wrong
}

func stamp(lead *customer.Lead, now time.Time) {
	lead.Id = newId("lcus")
	lead.CreatedTime, lead.LastUpdatedTime = timestamppb.New(now), timestamppb.New(now)
	if place := lead.Address; place != nil {
		place.Id = newId("addr")
		if place.Address1 == "" {
			place.Address1 = place.Street
		}
		if place.PostalCode == "" {
			place.PostalCode = place.Zip
		}
		place.Street, place.Zip = place.Address1, place.PostalCode
	}
	for _, pet := range lead.Pets {
		pet.Id, pet.CustomerId = newId("pet"), ""
		pet.CreatedTime, pet.LastUpdatedTime = timestamppb.New(now), timestamppb.New(now)
		for _, note := range pet.Notes {
			note.Id, note.LastUpdatedTime = newId("note"), timestamppb.New(now)
		}
	}
}

func newId(prefix string) string {
	id := uuid.Must(uuid.NewV7())
	return fmt.Sprintf("%s_%x", prefix, id[:])
}

func queueLead(batch *pgx.Batch, lead *customer.Lead, author string, now time.Time) {
	digest := sha256.Sum256([]byte(lead.Id))
	fields := make(map[string]*value, len(lead.CustomFields))
	for code, given := range lead.CustomFields {
		fields[code] = valueOf(given)
	}
	allowed := lead.ComplianceConfig
	batch.Queue(insertLead, lead.CompanyId, lead.Id, int64(binary.BigEndian.Uint64(digest[:8])), lead.FirstName, lead.LastName,
		lead.Avatar, lead.Phone, lead.Email, optional(strings.ToLower(lead.Email)), addressOf(lead.Address),
		optional(lead.PreferredBusinessId), optional(lead.AllocateStaffId), optional(lead.GetLifeCycle().GetId()),
		optional(lead.GetActionStatus().GetId()), optional(lead.GetReferralSource().GetId()),
		compliance{
			ServiceRelatedChannels:     list(allowed.ServiceRelatedChannels),
			MarketingCampaignsChannels: list(allowed.MarketingCampaignsChannels),
			BrandedAppEnabled:          allowed.BrandedAppEnabled,
			IsAgreedMarketingPolicy:    allowed.IsAgreedMarketingPolicy,
			IsConsented:                allowed.IsConsented,
		}, fields, author, now)
}

func queuePet(batch *pgx.Batch, lead *customer.Lead, position int, pet *customer.Pet, now time.Time) {
	var birthday *int32
	if day := pet.Birthday; day != nil {
		packed := day.Year*10_000 + day.Month*100 + day.Day
		birthday = &packed
	}
	var heft *weight
	if pet.Weight != nil {
		heft = &weight{pet.Weight.Value, int32(pet.Weight.Unit)}
	}
	var doctor *vet
	if pet.Vet != nil {
		doctor = &vet{pet.Vet.Name, pet.Vet.PhoneNumber, pet.Vet.Address}
	}
	petCodes, notes, vaccinations := []petCode{}, []petNote{}, []vaccination{}
	for _, it := range pet.PetCodes {
		petCodes = append(petCodes, petCode{it.Id, it.Abbreviation, it.Description, it.Color})
	}
	for _, it := range pet.Notes {
		notes = append(notes, petNote{it.Id, it.Content, it.LastUpdatedBy, now})
	}
	for _, it := range pet.Vaccinations {
		given := vaccination{Name: it.Name}
		if it.ExpiredAt != nil {
			at := it.ExpiredAt.AsTime()
			given.ExpiredAt = &at
		}
		vaccinations = append(vaccinations, given)
	}
	batch.Queue(insertPet, lead.CompanyId, pet.Id, lead.Id, position, pet.Name, birthday, int32(pet.Status), int32(pet.Type), pet.Breed,
		int32(pet.Gender), heft, pet.Fixed, pet.Coat, pet.Behavior, petCodes, notes, vaccinations, doctor,
		int32(pet.EvaluationStatus), pet.Photo, pet.Deleted, now)
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// list is never null in JSON.
func list(channels []customer.ComplianceChannel) []customer.ComplianceChannel {
	return append([]customer.ComplianceChannel{}, channels...)
}
