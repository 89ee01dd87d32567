"""What is kept in memory: the API keys and the settings of every company."""

import asyncio
import hashlib
import logging
import os
from datetime import datetime, timezone
from typing import NamedTuple

import grpc
from sqlalchemy import select

from moego.business.setting.v1 import customer_pb2 as setting

# How old keys and settings may be, in seconds.
STALE_AT_MOST = 5

LEAD_FIELD = 2


class Key(NamedTuple):
    id: str
    permissions: list
    companies: list | None
    expires: datetime | None

    def reaches(self, company):
        return self.companies is None or company in self.companies


class Settings:
    def __init__(self):
        self.life_cycles = {}
        self.action_statuses = {}
        self.referral_sources = {}
        self.custom_fields = set()
        self.default_life_cycle = None


class Known:
    def __init__(self, engine, tables):
        self.engine = engine
        self.tables = tables
        self.keys = {}
        self.companies = {}

    @classmethod
    async def read(cls, engine, tables):
        known = cls(engine, tables)
        await known.refresh()
        return known

    async def refresh_for_ever(self):
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(STALE_AT_MOST)
            try:
                await self.refresh()
            except Exception:
                logging.exception("reading keys and settings")
        os._exit(1)

    async def refresh(self):
        tables = self.tables
        async with self.engine.connect() as connection:

            async def rows(table):
                return (await connection.execute(select(table))).all()

            companies = {row.id: Settings() for row in await rows(tables.company)}
            for row in await rows(tables.life_cycle):
                it = setting.LifeCycle(id=row.id, name=row.name, is_default=row.is_default)
                companies[row.company_id].life_cycles[row.id] = it
                if row.is_default:
                    companies[row.company_id].default_life_cycle = row.id
            for row in await rows(tables.action_status):
                it = setting.ActionStatus(id=row.id, name=row.name, color=row.color)
                companies[row.company_id].action_statuses[row.id] = it
            for row in await rows(tables.referral_source):
                it = setting.ReferralSource(id=row.id, name=row.name)
                companies[row.company_id].referral_sources[row.id] = it
            for row in await rows(tables.custom_field):
                if row.association_type == LEAD_FIELD and row.archived_time is None:
                    companies[row.company_id].custom_fields.add(row.code)
            self.keys = {
                row.secret_sha256: Key(row.id, row.permissions, row.company_ids, row.expires_time)
                for row in await rows(tables.api_key)
                if row.revoked_time is None
            }
            self.companies = companies

    async def authenticate(self, context, permission):
        """The key of a call, if it is live and may do this."""
        sent = next((value for name, value in context.invocation_metadata() if name == "authorization"), None)
        if sent is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "an API key is required")
        key = self.keys.get(hashlib.sha256(sent.removeprefix("Bearer ").encode()).digest())
        if key is None or key.expires is not None and key.expires <= datetime.now(timezone.utc):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the API key is not valid")
        if permission not in key.permissions:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"the API key lacks {permission}")
        return key
