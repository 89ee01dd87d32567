import base64
import struct
from datetime import datetime, timedelta, timezone

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Text, any_, bindparam, cast, null, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

import rows
from create import complete, lead_row, pet_row
from moego.business.customer.v1 import lead_service_pb2, lead_service_pb2_grpc

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Leads(lead_service_pb2_grpc.LeadServiceServicer):
    def __init__(self, engine, tables, known):
        self.engine = engine
        self.lead = tables.lead
        self.pet = tables.pet
        self.known = known
        companies = cast(bindparam("companies"), ARRAY(Text))
        self.by_id = select(self.lead).where(
            self.lead.c.id == bindparam("id"),
            or_(companies == null(), self.lead.c.company_id == any_(companies)),
        )
        self.pets_of = (
            select(self.pet)
            .where(
                self.pet.c.company_id == bindparam("company"),
                self.pet.c.lead_id == any_(cast(bindparam("leads"), ARRAY(Text))),
            )
            .order_by(self.pet.c.position)
        )

    async def GetLead(self, request, context):
        key = await self.known.authenticate(context, "leads:read")
        if not request.id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "id: is required")
        async with self.engine.connect() as connection:
            found = await connection.execute(self.by_id, {"id": request.id, "companies": key.companies})
            row = found.one_or_none()
            if row is None:
                await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such lead")
            lead = rows.lead(row, self.known.companies[row.company_id])
            await self.add_pets(connection, row.company_id, [lead])
        return lead

    async def ListLeads(self, request, context):
        key = await self.known.authenticate(context, "leads:read")
        size = request.pagination.page_size
        if not 1 <= size <= 500:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "pagination.page_size: must be 1 to 500")
        if not request.company_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "company_id: is required")
        settings = self.known.companies.get(request.company_id)
        if settings is None or not key.reaches(request.company_id):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the API key does not reach this company")
        try:
            statement = self.page(request)
        except ValueError:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "pagination.page_token: is not a token of this list"
            )
        answer = lead_service_pb2.ListLeadsResponse()
        async with self.engine.connect() as connection:
            found = (await connection.execute(statement)).all()
            # One row more than asked for tells whether there is another page.
            if len(found) > size:
                found = found[:size]
                answer.next_page_token = token_after(found[-1])
            leads = [rows.lead(row, settings) for row in found]
            await self.add_pets(connection, request.company_id, leads)
        answer.leads.extend(leads)
        return answer

    async def CreateLead(self, request, context):
        key = await self.known.authenticate(context, "leads:write")
        given = request.lead
        if not given.company_id and key.companies is not None and len(key.companies) == 1:
            given.company_id = key.companies[0]
        if not key.reaches(given.company_id):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the API key does not reach this company")
        settings = self.known.companies.get(given.company_id)
        if settings is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such company")
        wrong = complete(request, settings)
        if wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "; ".join(wrong))
        now = datetime.now(timezone.utc)
        lead = lead_row(given, key, now)
        pets = [pet_row(pet, position, lead, now) for position, pet in enumerate(given.pets)]
        async with self.engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="READ COMMITTED")
            async with connection.begin():
                await connection.execute(self.lead.insert(), lead)
                if pets:
                    await connection.execute(self.pet.insert(), pets)
        answer = rows.lead(Row(lead), settings)
        answer.pets.extend(rows.pet(Row(pet)) for pet in pets)
        return answer

    async def add_pets(self, connection, company, leads):
        by_id = {lead.id: lead for lead in leads}
        found = await connection.execute(self.pets_of, {"company": company, "leads": list(by_id)})
        for row in found:
            by_id[row.lead_id].pets.append(rows.pet(row))

    def page(self, request):
        lead, wanted = self.lead.c, request.filter
        conditions = [lead.company_id == request.company_id]
        for column, value in [
            (lead.life_cycle_id, wanted.life_cycle_id),
            (lead.action_status_id, wanted.action_status_id),
            (lead.phone, wanted.main_phone_number),
            (lead.email_lower, wanted.email.lower()),
            (lead.referral_source_id, wanted.referral_source_id),
            (lead.allocate_staff_id, wanted.allocate_staff_id),
            (lead.preferred_business_id, wanted.preferred_business_id),
        ]:
            if value:
                conditions.append(column == value)
        interval = wanted.last_updated_time
        if interval.HasField("start_time"):
            conditions.append(lead.last_updated_time >= moment(interval.start_time))
        if interval.HasField("end_time"):
            conditions.append(lead.last_updated_time < moment(interval.end_time))
        token = request.pagination.page_token
        if token not in ("", "1"):
            conditions.append(tuple_(lead.created_time, lead.tie_break) < tuple_(*read_token(token)))
        return (
            select(self.lead)
            .where(*conditions)
            .order_by(lead.created_time.desc(), lead.tie_break.desc())
            .limit(request.pagination.page_size + 1)
        )


class Row:
    """Values by attribute, as the rows of a result have them."""

    def __init__(self, values):
        self.__dict__.update(values)


def moment(timestamp: Timestamp):
    return timestamp.ToDatetime(tzinfo=timezone.utc)


def token_after(row):
    micros = (row.created_time - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(struct.pack(">qq", micros, row.tie_break)).decode()


def read_token(token):
    try:
        micros, tie_break = struct.unpack(">qq", base64.urlsafe_b64decode(token))
        return EPOCH + timedelta(microseconds=micros), tie_break
    except (struct.error, OverflowError) as error:
        raise ValueError(token) from error
