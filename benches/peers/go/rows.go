package main

import (
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	google "leash.example/peer/gen/google/type"
	customer "leash.example/peer/gen/moego/business/customer/v1"
	setting "leash.example/peer/gen/moego/business/setting/v1"
	common "leash.example/peer/gen/moego/common/v1"
)

const leadColumns = `company_id, id, first_name, last_name, avatar, phone, email, address, preferred_business_id, allocate_staff_id,
	life_cycle_id, action_status_id, referral_source_id, compliance_config, custom_fields, created_time, last_updated_time, tie_break`

const petColumns = `lead_id, id, name, birthday, status, type, breed, gender, weight, fixed, coat, behavior, pet_codes, notes,
	vaccinations, vet, evaluation_status, photo, deleted, created_time, last_updated_time`

// What the JSON columns hold.

type address struct {
	Id         string      `json:"id"`
	Address1   string      `json:"address1"`
	Address2   string      `json:"address2"`
	City       string      `json:"city"`
	State      string      `json:"state"`
	PostalCode string      `json:"postal_code"`
	Country    string      `json:"country"`
	Coordinate *coordinate `json:"coordinate"`
	Type       int32       `json:"type"`
}

type coordinate struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type compliance struct {
	ServiceRelatedChannels     []customer.ComplianceChannel `json:"service_related_channels"`
	MarketingCampaignsChannels []customer.ComplianceChannel `json:"marketing_campaigns_channels"`
	BrandedAppEnabled          bool                         `json:"branded_app_enabled"`
	IsAgreedMarketingPolicy    bool                         `json:"is_agreed_marketing_policy"`
	IsConsented                bool                         `json:"is_consented"`
}

type weight struct {
	Value uint32 `json:"value"`
	Unit  int32  `json:"unit"`
}

type petCode struct {
	Id           string `json:"id"`
	Abbreviation string `json:"abbreviation"`
	Description  string `json:"description"`
	Color        string `json:"color"`
}

type petNote struct {
	Id              string    `json:"id"`
	Content         string    `json:"content"`
	LastUpdatedBy   string    `json:"last_updated_by"`
	LastUpdatedTime time.Time `json:"last_updated_time"`
}

type vaccination struct {
	Name      string     `json:"name"`
	ExpiredAt *time.Time `json:"expired_at"`
}

type vet struct {
	Name        string `json:"name"`
	PhoneNumber string `json:"phone_number"`
	Address     string `json:"address"`
}

// A row of a lead, with what is needed beside the message.
type leadRow struct {
	message  *customer.Lead
	tieBreak int64
}

func (k *known) readLead(row pgx.CollectableRow) (leadRow, error) {
	lead := &customer.Lead{}
	var (
		place                              *address
		business, staff                    *string
		lifeCycle, actionStatus, reference *string
		allowed                            compliance
		fields                             map[string]*value
		created, updated                   time.Time
		tieBreak                           int64
	)
	err := row.Scan(&lead.CompanyId, &lead.Id, &lead.FirstName, &lead.LastName, &lead.Avatar, &lead.Phone, &lead.Email, &place,
		&business, &staff, &lifeCycle, &actionStatus, &reference, &allowed, &fields, &created, &updated, &tieBreak)
	if err != nil {
		return leadRow{}, err
	}
	settings := k.settings(lead.CompanyId)
	if place != nil {
		lead.Address = place.message()
	}
	lead.PreferredBusinessId, lead.AllocateStaffId = text(business), text(staff)
	lead.LifeCycle = settings.lifeCycles[text(lifeCycle)]
	lead.ActionStatus = settings.actionStatuses[text(actionStatus)]
	lead.ReferralSource = settings.referralSources[text(reference)]
	lead.ComplianceConfig = allowed.message()
	lead.CustomFields = make(map[string]*setting.CustomField_Value, len(fields))
	for code, value := range fields {
		lead.CustomFields[code] = value.message()
	}
	lead.CreatedTime, lead.LastUpdatedTime = timestamppb.New(created), timestamppb.New(updated)
	return leadRow{lead, tieBreak}, nil
}

type petRow struct {
	lead    string
	message *customer.Pet
}

func readPet(row pgx.CollectableRow) (petRow, error) {
	pet := &customer.Pet{}
	var (
		lead             string
		birthday         *int32
		heft             *weight
		petCodes         []petCode
		notes            []petNote
		vaccinations     []vaccination
		doctor           *vet
		created, updated time.Time
	)
	err := row.Scan(&lead, &pet.Id, &pet.Name, &birthday, &pet.Status, &pet.Type, &pet.Breed, &pet.Gender, &heft, &pet.Fixed,
		&pet.Coat, &pet.Behavior, &petCodes, &notes, &vaccinations, &doctor, &pet.EvaluationStatus, &pet.Photo, &pet.Deleted,
		&created, &updated)
	if err != nil {
		return petRow{}, err
	}
	if birthday != nil {
		pet.Birthday = &google.Date{Year: *birthday / 10_000, Month: *birthday / 100 % 100, Day: *birthday % 100}
	}
	if heft != nil {
		pet.Weight = &common.Weight{Value: heft.Value, Unit: common.Weight_Unit(heft.Unit)}
	}
	for _, it := range petCodes {
		pet.PetCodes = append(pet.PetCodes, &setting.PetCode{
			Id: it.Id, Abbreviation: it.Abbreviation, Description: it.Description, Color: it.Color,
		})
	}
	for _, it := range notes {
		pet.Notes = append(pet.Notes, &customer.Pet_Note{
			Id: it.Id, Content: it.Content, LastUpdatedBy: it.LastUpdatedBy, LastUpdatedTime: timestamppb.New(it.LastUpdatedTime),
		})
	}
	for _, it := range vaccinations {
		given := &customer.Pet_Vaccination{Name: it.Name}
		if it.ExpiredAt != nil {
			given.ExpiredAt = timestamppb.New(*it.ExpiredAt)
		}
		pet.Vaccinations = append(pet.Vaccinations, given)
	}
	if doctor != nil {
		pet.Vet = &customer.Pet_Vet{Name: doctor.Name, PhoneNumber: doctor.PhoneNumber, Address: doctor.Address}
	}
	pet.CreatedTime, pet.LastUpdatedTime = timestamppb.New(created), timestamppb.New(updated)
	return petRow{lead, pet}, nil
}

func (a *address) message() *common.Address {
	message := &common.Address{
		Id: a.Id, Address1: a.Address1, Address2: a.Address2, City: a.City, State: a.State, PostalCode: a.PostalCode,
		Country: a.Country, Type: common.Address_Type(a.Type), Street: a.Address1, Zip: a.PostalCode,
	}
	if a.Coordinate != nil {
		message.Coordinate = &google.LatLng{Latitude: a.Coordinate.Latitude, Longitude: a.Coordinate.Longitude}
	}
	return message
}

func (c *compliance) message() *customer.CustomerComplianceConfig {
	return &customer.CustomerComplianceConfig{
		ServiceRelatedChannels:     c.ServiceRelatedChannels,
		MarketingCampaignsChannels: c.MarketingCampaignsChannels,
		BrandedAppEnabled:          c.BrandedAppEnabled,
		IsAgreedMarketingPolicy:    c.IsAgreedMarketingPolicy,
		IsConsented:                c.IsConsented,
	}
}

func text(optional *string) string {
	if optional == nil {
		return ""
	}
	return *optional
}

func addressOf(given *common.Address) *address {
	if given == nil {
		return nil
	}
	place := &address{
		Id: given.Id, Address1: given.Address1, Address2: given.Address2, City: given.City, State: given.State,
		PostalCode: given.PostalCode, Country: given.Country, Type: int32(given.Type),
	}
	if given.Coordinate != nil {
		place.Coordinate = &coordinate{given.Coordinate.Latitude, given.Coordinate.Longitude}
	}
	return place
}
