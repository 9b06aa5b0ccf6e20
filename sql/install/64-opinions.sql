-- 64-opinions: whether what is counted in a window of time is beyond chance.
CREATE FUNCTION lmtext.surge(negative bigint, total bigint, base_negative bigint, base_total bigint)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_surge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext.surge(bigint, bigint, bigint, bigint) IS
    'standard deviations by which the share of a window is above that of its base, by an exact test; below 0 where it is lower';

-- What lmtext.health looks at of each job: how its last run ended, and the version of the last that was done.
CREATE VIEW lmtext_internal.job_states AS
    SELECT j.name, j.work, c.relowner AS owner, j.model, last.status, last.sqlstate, done.model AS done_with
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    LEFT JOIN LATERAL (
        SELECT r.status, r.sqlstate FROM lmtext.job_runs r
        WHERE r.job OPERATOR(pg_catalog.=) j.name ORDER BY r.run DESC LIMIT 1) last ON true
    LEFT JOIN LATERAL (
        SELECT r.model FROM lmtext.job_runs r
        WHERE r.job OPERATOR(pg_catalog.=) j.name AND r.status OPERATOR(pg_catalog.=) 'done' ORDER BY r.run DESC LIMIT 1) done ON true;
COMMENT ON VIEW lmtext_internal.job_states IS 'last runs of jobs, for lmtext.health';
GRANT SELECT ON lmtext_internal.job_states TO PUBLIC;
