-- What the tests know of Citus 13, for machines that do not have it: its functions, its metadata and its refusals, but no other
-- machines. Names, arguments, defaults, metadata and error texts are Citus's; tables stay where they are.
--
-- `citus_stub.fail_on`, a setting, names a table whose distribution fails, as a lost machine would make it.

SET allow_system_table_mods = on;
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99999, 'citus', 10, 'pg_catalog'::regnamespace, false, '13.0-1');

CREATE SCHEMA citus;
CREATE TYPE citus.distribution_type AS ENUM ('hash', 'range', 'append');

CREATE TABLE pg_catalog.pg_dist_partition (
    logicalrelid regclass NOT NULL PRIMARY KEY,
    partmethod "char" NOT NULL,
    -- In Citus a node of an expression; here the column's name.
    partkey text,
    colocationid integer NOT NULL DEFAULT 0,
    repmodel "char" NOT NULL,
    autoconverted boolean NOT NULL DEFAULT false
);
RESET allow_system_table_mods;

CREATE SEQUENCE citus.colocation;

CREATE FUNCTION public.column_to_column_name(table_name regclass, column_var_text text) RETURNS text
    LANGUAGE sql STRICT AS 'SELECT column_var_text';

-- A foreign key is between two distributed tables of one colocation that carries the distribution columns of both, or leads to a
-- reference table, or is between tables of which Citus knows nothing.
CREATE FUNCTION citus.refuse_foreign_keys() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    key record;
BEGIN
    FOR key IN
        SELECT f.conname, source.partmethod AS source, target.partmethod AS target,
            source.colocationid = target.colocationid AS colocated,
            (SELECT bool_or(s.attname = source.partkey AND t.attname = target.partkey)
                FROM unnest(f.conkey, f.confkey) AS pair (s, t)
                JOIN pg_attribute s ON s.attrelid = f.conrelid AND s.attnum = pair.s
                JOIN pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = pair.t) AS carries_column
        FROM pg_constraint f
        LEFT JOIN pg_dist_partition source ON source.logicalrelid = f.conrelid
        LEFT JOIN pg_dist_partition target ON target.logicalrelid = f.confrelid
        WHERE f.contype = 'f' AND (source.logicalrelid IS NOT NULL OR target.logicalrelid IS NOT NULL)
    LOOP
        IF key.source IS NULL OR (key.source = 'n' AND key.target = 'h') THEN
            RAISE EXCEPTION 'cannot create foreign key constraint since foreign keys from reference tables and local tables to distributed tables are not supported'
                USING DETAIL = key.conname, ERRCODE = 'feature_not_supported';
        ELSIF key.source = 'h' AND (key.target IS NULL OR (key.target = 'h' AND NOT key.colocated)) THEN
            RAISE EXCEPTION 'cannot create foreign key constraint since relations are not colocated or not referencing a reference table'
                USING DETAIL = key.conname, ERRCODE = 'feature_not_supported';
        ELSIF key.source = 'h' AND key.target = 'h' AND NOT key.carries_column THEN
            RAISE EXCEPTION 'cannot create foreign key constraint'
                USING DETAIL = 'Foreign keys are supported only between colocated tables and with the distribution columns: ' || key.conname,
                    ERRCODE = 'feature_not_supported';
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION citus.refuse_unique_indexes() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    index record;
BEGIN
    FOR index IN
        SELECT i.indexrelid::regclass AS name, p.logicalrelid AS "table" FROM pg_index i
        JOIN pg_dist_partition p ON p.logicalrelid = i.indrelid AND p.partmethod = 'h'
        WHERE i.indisunique AND NOT EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = i.indrelid AND a.attname = p.partkey AND a.attnum = ANY(i.indkey)
        )
    LOOP
        RAISE EXCEPTION 'cannot create constraint on "%"', index."table"
            USING DETAIL = 'Distributed relations cannot have UNIQUE, EXCLUDE, or PRIMARY KEY constraints that do not include the partition column: ' || index.name,
                ERRCODE = 'feature_not_supported';
    END LOOP;
END $$;

CREATE FUNCTION citus.make_known(table_name regclass, method "char", distribution_column text, colocation integer, replication "char")
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = table_name) THEN
        RAISE EXCEPTION 'table "%" is already distributed', table_name USING ERRCODE = 'invalid_table_definition';
    END IF;
    IF table_name::text = current_setting('citus_stub.fail_on', true) THEN
        RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = 'connection_failure';
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', table_name);
    INSERT INTO pg_dist_partition (logicalrelid, partmethod, partkey, colocationid, repmodel)
        VALUES (table_name, method, distribution_column, colocation, replication);
    PERFORM citus.refuse_foreign_keys();
    PERFORM citus.refuse_unique_indexes();
END $$;

CREATE FUNCTION public.create_distributed_table(
    table_name regclass,
    distribution_column text,
    distribution_type citus.distribution_type DEFAULT 'hash',
    colocate_with text DEFAULT 'default',
    shard_count integer DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    colocation integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = table_name AND attname = distribution_column) THEN
        RAISE EXCEPTION 'column "%" of relation "%" does not exist', distribution_column, table_name USING ERRCODE = 'undefined_column';
    END IF;
    IF colocate_with IN ('default', 'none') THEN
        colocation := nextval('citus.colocation');
    ELSE
        SELECT colocationid INTO colocation FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass;
        IF colocation IS NULL THEN
            RAISE EXCEPTION 'relation % is not distributed', colocate_with USING ERRCODE = 'invalid_table_definition';
        END IF;
    END IF;
    PERFORM citus.make_known(table_name, 'h', distribution_column, colocation, 's');
END $$;

CREATE FUNCTION public.create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    SELECT citus.make_known(table_name, 'n', NULL, 10000, 't')
$$;

CREATE FUNCTION public.undistribute_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    DELETE FROM pg_dist_partition WHERE logicalrelid = table_name
$$;

CREATE FUNCTION citus.after_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM citus.refuse_foreign_keys();
    PERFORM citus.refuse_unique_indexes();
END $$;
CREATE EVENT TRIGGER citus_stub ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX')
    EXECUTE FUNCTION citus.after_ddl();
