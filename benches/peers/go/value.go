package main

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	google "leash.example/peer/gen/google/type"
	setting "leash.example/peer/gen/moego/business/setting/v1"
)

// value is the value of a custom field as its column holds it: one key, which names the kind.
type value struct {
	String        *string    `json:"string,omitempty"`
	DoubleValue   *float64   `json:"double_value,omitempty"`
	Int64         *int64     `json:"int64,omitempty"`
	Bool          *bool      `json:"bool,omitempty"`
	Money         *money     `json:"money,omitempty"`
	TimestampTime *time.Time `json:"timestamp_time,omitempty"`
	Relation      *relation  `json:"relation,omitempty"`
	StringList    *[]string  `json:"string_list,omitempty"`
	TimeOfDay     *timeOfDay `json:"time_of_day,omitempty"`
}

type money struct {
	CurrencyCode string `json:"currency_code"`
	Units        int64  `json:"units"`
	Nanos        int32  `json:"nanos"`
}

type relation struct {
	Entity int32 `json:"entity"`
	Id     int64 `json:"id"`
}

type timeOfDay struct {
	Hours   int32 `json:"hours"`
	Minutes int32 `json:"minutes"`
	Seconds int32 `json:"seconds"`
	Nanos   int32 `json:"nanos"`
}

func (v *value) message() *setting.CustomField_Value {
	it := &setting.CustomField_Value{}
	switch {
	case v.String != nil:
		it.Value = &setting.CustomField_Value_String_{String_: *v.String}
	case v.DoubleValue != nil:
		it.Value = &setting.CustomField_Value_DoubleValue{DoubleValue: *v.DoubleValue}
	case v.Int64 != nil:
		it.Value = &setting.CustomField_Value_Int64{Int64: *v.Int64}
	case v.Bool != nil:
		it.Value = &setting.CustomField_Value_Bool{Bool: *v.Bool}
	case v.Money != nil:
		it.Value = &setting.CustomField_Value_Money{Money: &google.Money{
			CurrencyCode: v.Money.CurrencyCode, Units: v.Money.Units, Nanos: v.Money.Nanos,
		}}
	case v.TimestampTime != nil:
		it.Value = &setting.CustomField_Value_TimestampTime{TimestampTime: timestamppb.New(*v.TimestampTime)}
	case v.Relation != nil:
		it.Value = &setting.CustomField_Value_Relation_{Relation: &setting.CustomField_Value_Relation{
			Entity: setting.CustomField_Value_Relation_Entity(v.Relation.Entity), Id: v.Relation.Id,
		}}
	case v.StringList != nil:
		it.Value = &setting.CustomField_Value_StringList_{StringList: &setting.CustomField_Value_StringList{Values: *v.StringList}}
	case v.TimeOfDay != nil:
		it.Value = &setting.CustomField_Value_TimeOfDay{TimeOfDay: &google.TimeOfDay{
			Hours: v.TimeOfDay.Hours, Minutes: v.TimeOfDay.Minutes, Seconds: v.TimeOfDay.Seconds, Nanos: v.TimeOfDay.Nanos,
		}}
	}
	return it
}

// valueOf is the other way; nil where nothing is given.
func valueOf(given *setting.CustomField_Value) *value {
	switch it := given.GetValue().(type) {
	case *setting.CustomField_Value_String_:
		return &value{String: &it.String_}
	case *setting.CustomField_Value_DoubleValue:
		return &value{DoubleValue: &it.DoubleValue}
	case *setting.CustomField_Value_Int64:
		return &value{Int64: &it.Int64}
	case *setting.CustomField_Value_Bool:
		return &value{Bool: &it.Bool}
	case *setting.CustomField_Value_Money:
		return &value{Money: &money{it.Money.GetCurrencyCode(), it.Money.GetUnits(), it.Money.GetNanos()}}
	case *setting.CustomField_Value_TimestampTime:
		at := it.TimestampTime.AsTime()
		return &value{TimestampTime: &at}
	case *setting.CustomField_Value_Relation_:
		return &value{Relation: &relation{int32(it.Relation.GetEntity()), it.Relation.GetId()}}
	case *setting.CustomField_Value_StringList_:
		list := append([]string{}, it.StringList.GetValues()...)
		return &value{StringList: &list}
	case *setting.CustomField_Value_TimeOfDay:
		at := it.TimeOfDay
		return &value{TimeOfDay: &timeOfDay{at.GetHours(), at.GetMinutes(), at.GetSeconds(), at.GetNanos()}}
	default:
		return nil
	}
}
