"""leash's tables, read from the database."""

from sqlalchemy import JSON, MetaData


class Tables:
    NAMES = ["company", "api_key", "life_cycle", "action_status", "referral_source", "custom_field", "lead", "pet"]

    def __init__(self, metadata):
        for name in self.NAMES:
            setattr(self, name, metadata.tables[name])

    @classmethod
    async def reflect(cls, engine):
        metadata = MetaData()
        async with engine.connect() as connection:
            await connection.run_sync(metadata.reflect, only=cls.NAMES)
        for table in metadata.tables.values():
            for column in table.c:
                if isinstance(column.type, JSON):
                    # What is not there is NULL, and not JSON's null.
                    column.type.none_as_null = True
        return cls(metadata)
