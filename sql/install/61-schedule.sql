-- 61-schedule: when jobs run by themselves. The launcher (src/pg/jobs/launcher.c) looks at these tables in short visits to each
-- database, as the superuser that made the cluster: what it calls is here, reads and writes tables of lmtext only, and sets search_path.

-- Written by lmtext_internal.write_job, and by lmtext_internal.due_work. It has no foreign key: a parallel pg_restore would load it
-- before lmtext.job.
CREATE TABLE lmtext.job_schedule (
    work regclass NOT NULL PRIMARY KEY,
    cron text NOT NULL,
    time_zone text NOT NULL,
    not_before time,
    not_after time,
    next_run timestamptz,
    last_run timestamptz,
    missed bigint NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE lmtext.job_schedule IS 'when jobs run by themselves; the view lmtext.schedules shows it';
GRANT SELECT ON lmtext.job_schedule TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.job_schedule', '');

-- ---- Times ----

CREATE FUNCTION lmtext_internal.next_time(
    cron text, time_zone text, after timestamptz, not_before time DEFAULT NULL, not_after time DEFAULT NULL)
    RETURNS timestamptz AS 'MODULE_PATHNAME', 'lmtext_next_time' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.next_time(text, text, timestamptz, time, time) IS
    'first time of a schedule behind another, within a window of the day; NULL where none comes in nine years';

CREATE FUNCTION lmtext_internal.count_times(
    cron text, time_zone text, behind timestamptz, until timestamptz, not_before time DEFAULT NULL, not_after time DEFAULT NULL)
    RETURNS bigint AS 'MODULE_PATHNAME', 'lmtext_count_times' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.count_times(text, text, timestamptz, timestamptz, time, time) IS
    'number of times of a schedule behind one time and up to another, 1000 at most';

-- In the zone as next_time reads it: AT TIME ZONE takes CET and the like for an offset all the year.
CREATE FUNCTION lmtext_internal.next_clock(time_zone text, clock time, after timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'lmtext_next_clock' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.next_clock(text, time, timestamptz) IS 'when a clock in a time zone shows a time of the day next';

CREATE FUNCTION lmtext_internal.in_window(time_zone text, not_before time, not_after time, at timestamptz) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_in_window' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.in_window(text, time, time, timestamptz) IS 'whether a time is in a window of the day';

-- ---- Scheduling ----

CREATE FUNCTION lmtext.schedule_job(
    name text, cron text, time_zone text DEFAULT NULL, not_before time DEFAULT NULL, not_after time DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(schedule_job.name);
    zone text := COALESCE(schedule_job.time_zone, pg_catalog.current_setting('TimeZone'));
BEGIN
    IF cron IS NULL THEN
        PERFORM lmtext_internal.write_job(job.work, 'unschedule', '{}');
        RETURN;
    END IF;
    IF not_before OPERATOR(pg_catalog.=) not_after THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('a window from %s to %s has no time in it', not_before, not_after);
    END IF;
    IF lmtext_internal.next_time(cron, zone, pg_catalog.clock_timestamp(), not_before, not_after) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('schedule "%s" never comes', cron),
            DETAIL = 'No such day is in the calendar, or no such time in the window, in the next nine years.';
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'schedule', pg_catalog.jsonb_build_object('cron', cron, 'time_zone', zone,
        'not_before', not_before, 'not_after', not_after));
END $$;
COMMENT ON FUNCTION lmtext.schedule_job(text, text, text, time, time) IS
    'let a job run by itself at times given as cron has them, in a time zone, within a window of the day; NULL ends that';

CREATE VIEW lmtext.schedules AS
    SELECT j.name AS job, s.cron, s.time_zone, s.not_before, s.not_after, s.next_run, s.last_run, s.missed
    FROM lmtext.job_schedule s JOIN lmtext.job j ON j.work::pg_catalog.oid OPERATOR(pg_catalog.=) s.work::pg_catalog.oid
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.work;
COMMENT ON VIEW lmtext.schedules IS 'when jobs run by themselves';
COMMENT ON COLUMN lmtext.schedules.not_before IS 'a run does not start before this time of the day';
COMMENT ON COLUMN lmtext.schedules.not_after IS 'nor after this one, at which a run stops';
COMMENT ON COLUMN lmtext.schedules.next_run IS 'when it is due; in the past while it runs, or waits for its window or a worker';
COMMENT ON COLUMN lmtext.schedules.last_run IS 'when the last run by schedule, or of what was queued, began';
COMMENT ON COLUMN lmtext.schedules.missed IS 'times that passed without a run: the server was down, or the last run went on';
GRANT SELECT ON lmtext.schedules TO PUBLIC;

-- ---- What the launcher's visits find ----

CREATE FUNCTION lmtext_internal.queue_is_filled(queue regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_queue_is_filled' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.queue_is_filled(regclass) IS
    'whether a table has a row, read without running anything of it; false where it is locked; needs ownership';

-- Why no worker can run as a role, NULL where one can. From 17 on a worker needs no right to log in.
CREATE FUNCTION lmtext_internal.worker_obstacle(role oid, OUT state text, OUT said text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('server_version_num')::int < 170000 AND NOT (SELECT r.rolcanlogin FROM pg_roles r WHERE r.oid = role) THEN
        state := '0A000';
        said := format('role "%s" may not log in, so no worker can run as it', pg_get_userbyid(role));
    ELSIF NOT has_database_privilege(role, current_database(), 'CONNECT') THEN
        state := '42501';
        said := format('role "%s" may not connect to this database, so no worker can run as it', pg_get_userbyid(role));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.worker_obstacle(oid) IS 'why no background worker can run as a role';

-- A run that is over was for all times until now; one that was skipped was not for its own.
CREATE FUNCTION lmtext_internal.put_off(job regclass, skipped integer) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    UPDATE lmtext.job_schedule s SET tries = 0 WHERE s.work = job AND s.tries > 0;
    UPDATE lmtext.job_schedule s SET
        next_run = lmtext_internal.next_time(s.cron, s.time_zone, clock_timestamp(), s.not_before, s.not_after),
        missed = s.missed + skipped
            + lmtext_internal.count_times(s.cron, s.time_zone, s.next_run, clock_timestamp(), s.not_before, s.not_after)
    WHERE s.work = job AND s.next_run <= clock_timestamp();
    DELETE FROM lmtext.job_run r WHERE r.work = job AND r.started_at < now() - interval '90 days'; -- a run that begins prunes; but where none can
$$;
COMMENT ON FUNCTION lmtext_internal.put_off(regclass, integer) IS 'wait for the next time of a schedule';

-- A run that could not begin, and so those of the jobs that follow.
CREATE FUNCTION lmtext_internal.note_failure(job text, work regclass, state text, said text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
    run bigint;
BEGIN
    FOR one IN WITH RECURSIVE failed (name, work, leader) AS (
            SELECT note_failure.job, note_failure.work, NULL
            UNION SELECT j.name, j.work, f.name FROM failed f JOIN lmtext.job j ON j.options ->> 'after' = f.name
                JOIN pg_class c ON c.oid = j.work
            WHERE c.relowner = (SELECT o.relowner FROM pg_class o WHERE o.oid = note_failure.work))
            SELECT f.name, f.work, CASE WHEN f.leader IS NULL THEN note_failure.said
                    ELSE format('job "%s" was not done: %s', f.leader, CASE WHEN f.leader = note_failure.job THEN 'failed' ELSE 'skipped' END) END AS said,
                CASE WHEN f.leader IS NULL THEN note_failure.state END AS state, CASE WHEN f.leader IS NULL THEN 'failed' ELSE 'skipped' END AS status,
                CASE WHEN f.leader IS NULL THEN 'failure' ELSE 'skipped' END AS event
            FROM failed f LOOP
        INSERT INTO lmtext.job_run (work, pid, model, status, finished_at, sqlstate, message)
        VALUES (one.work, pg_backend_pid(), 0::oid, one.status, clock_timestamp(), one.state, one.said) RETURNING id INTO run;
        PERFORM lmtext_internal.notify_job(one.name, run, one.event,
            jsonb_build_object('status', one.status, 'done', 0, 'errors', 0, 'sqlstate', one.state));
    END LOOP;
    PERFORM lmtext_internal.put_off(work, 0);
END $$;
COMMENT ON FUNCTION lmtext_internal.note_failure(text, regclass, text, text) IS 'note a run of a job that could not begin';

-- A run that is skipped says nothing of the one before. `crashes`: of the last five runs those that ended without a word and without a row.
CREATE VIEW lmtext_internal.watched_jobs AS
    SELECT j.name, j.work, c.relowner AS owner, j.author OPERATOR(pg_catalog.=) pg_catalog.pg_get_userbyid(c.relowner) AS trusted,
        s.time_zone, s.not_before, s.not_after, s.next_run, s.tries,
        lmtext_internal.job_option(j, 'missed_runs') OPERATOR(pg_catalog.=) 'skip' AS skips, j.attached, j.scanned IS NULL AS unseen,
        pg_catalog.to_regclass(lmtext_internal.queue_name(j)) AS queue, r.started_at, r.status, r.crashes,
        EXISTS (SELECT FROM lmtext_internal.live_runs l WHERE l.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid) AS running
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    LEFT JOIN lmtext.job_schedule s ON s.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid
    LEFT JOIN LATERAL (SELECT (pg_catalog.array_agg(o.started_at ORDER BY o.id DESC))[1] AS started_at,
            (pg_catalog.array_agg(o.status ORDER BY o.id DESC))[1] AS status,
            pg_catalog.count(*) FILTER (WHERE o.done OPERATOR(pg_catalog.=) 0 AND (o.status OPERATOR(pg_catalog.=) ANY ('{running,interrupted}'::pg_catalog.text[])
                OR o.sqlstate OPERATOR(pg_catalog.=) '57P01')) AS crashes
        FROM (SELECT n.* FROM lmtext.job_run n WHERE n.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid AND n.parent IS NULL
            AND n.status OPERATOR(pg_catalog.<>) 'skipped' ORDER BY n.id DESC LIMIT 5) o) r ON true
    WHERE NOT j.paused AND (j.attached OR s.next_run IS NOT NULL);
COMMENT ON VIEW lmtext_internal.watched_jobs IS 'jobs that may be due, and their last run';
GRANT SELECT ON lmtext_internal.watched_jobs TO PUBLIC;

-- Whether an attached job has something to do: rows wait in its queue, or its last run has taken them from there and not done them. After a
-- run it rests for a while, so that a trigger that changes the text does not keep it going, and longer after one that came to a bad end.
CREATE FUNCTION lmtext_internal.queue_waits(job lmtext_internal.watched_jobs, naptime interval) RETURNS boolean
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT job.attached AND job.trusted AND COALESCE(clock_timestamp() >= job.started_at + naptime
            + CASE WHEN job.status = ANY ('{failed,cancelled,running,interrupted}') THEN interval '10 minutes' ELSE '0' END, true)
        AND (job.unseen OR job.status <> 'done' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = job.queue AND c.relowner = job.owner
            AND c.relkind = 'r' AND lmtext_internal.queue_is_filled(job.queue)));
$$;
COMMENT ON FUNCTION lmtext_internal.queue_waits(lmtext_internal.watched_jobs, interval) IS 'whether an attached job has something to do';

-- Who owned a job before may have left triggers and policies: they run as the new owner when that role says so, not by themselves.
CREATE FUNCTION lmtext_internal.run_obstacle(job lmtext_internal.watched_jobs, OUT state text, OUT said text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN job.trusted THEN o.state ELSE '55000' END, CASE WHEN job.trusted THEN o.said ELSE 'the job was scheduled by another role' END
    FROM lmtext_internal.worker_obstacle(job.owner) o;
$$;
COMMENT ON FUNCTION lmtext_internal.run_obstacle(lmtext_internal.watched_jobs) IS 'why no run of a job can begin by itself, NULL where one can';

-- What a worker is to do (null: nothing), and when to look again. A time that was missed by more than five minutes while nothing ran
-- is made up for once, or skipped. A run that ends its server five times without having done anything is not started a sixth time: by a
-- schedule not before the next time, and not by what is queued until another run has ended.
CREATE FUNCTION lmtext_internal.due_job(
    job lmtext_internal.watched_jobs, naptime interval, OUT starts boolean, OUT until timestamptz, OUT look timestamptz)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now timestamptz := clock_timestamp();
    due boolean := COALESCE(job.next_run <= now, false);
    obstacle record;
BEGIN
    starts := false;
    IF due AND NOT job.running AND job.skips AND job.tries = 0 AND job.next_run < now - interval '5 minutes' THEN
        PERFORM lmtext_internal.put_off(job.work, 1);
        due := false;
        look := now + naptime;
    ELSIF due AND NOT job.running AND job.tries >= 5 THEN
        PERFORM lmtext_internal.note_failure(job.name, job.work, '57P01', 'five workers ended without a word');
        job.status := 'failed';
        due := false;
        look := now + naptime;
    ELSIF NOT due THEN
        look := job.next_run;
    END IF;
    IF job.attached THEN
        look := LEAST(look, now + naptime);
    END IF;
    IF NOT due AND (job.running OR NOT lmtext_internal.queue_waits(job, naptime)) THEN
        RETURN;
    ELSIF NOT due AND job.crashes >= 5 THEN
        IF job.status <> 'failed' THEN
            PERFORM lmtext_internal.note_failure(job.name, job.work, '57P01', 'five workers ended without a word');
        END IF;
        RETURN;
    END IF;
    look := LEAST(look, now + naptime);
    IF job.running THEN
        RETURN;
    END IF;
    IF NOT lmtext_internal.in_window(job.time_zone, job.not_before, job.not_after, now) THEN
        look := lmtext_internal.next_clock(job.time_zone, COALESCE(job.not_before, '00:00'), now);
        RETURN;
    END IF;
    obstacle := lmtext_internal.run_obstacle(job);
    IF obstacle.state IS NOT NULL THEN
        PERFORM lmtext_internal.note_failure(job.name, job.work, obstacle.state, obstacle.said);
        RETURN;
    END IF;
    starts := true;
    until := lmtext_internal.next_clock(job.time_zone, job.not_after, now);
END $$;
COMMENT ON FUNCTION lmtext_internal.due_job(lmtext_internal.watched_jobs, interval) IS
    'whether a run of a job is to begin, when it is to stop, and when to look again';

-- Rows "run" and "alerts" are work for a worker of that role, and the last says when to look again.
CREATE FUNCTION lmtext_internal.due_work(naptime interval, OUT errand text, OUT role oid, OUT job text, OUT at timestamptz)
    RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one lmtext_internal.watched_jobs;
    found record;
    look timestamptz;
BEGIN
    FOR one IN SELECT w.* FROM lmtext_internal.watched_jobs w ORDER BY w.next_run, w.name LOOP
        BEGIN
            found := lmtext_internal.due_job(one, naptime);
            look := LEAST(look, found.look);
            IF found.starts THEN
                errand := 'run';
                role := one.owner;
                job := one.name;
                at := found.until;
                RETURN NEXT;
            END IF;
        EXCEPTION WHEN OTHERS THEN -- a time zone that the server has no more: others are not kept back
            RAISE LOG USING ERRCODE = SQLSTATE, MESSAGE = format('job "%s" could not be looked at: %s', one.name, SQLERRM);
        END;
    END LOOP;
    job := '';
    at := NULL;
    errand := 'alerts';
    FOR role IN SELECT DISTINCT c.relowner FROM lmtext.alert a JOIN pg_class c ON c.oid = a.fired
            WHERE pg_get_userbyid(c.relowner) = a.author AND (lmtext_internal.worker_obstacle(c.relowner)).state IS NULL LOOP
        look := LEAST(look, clock_timestamp() + naptime);
        RETURN NEXT;
    END LOOP;
    errand := 'look';
    role := 0;
    at := look;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION lmtext_internal.due_work(interval) IS 'what workers are to do in this database now, and when to look again';

-- ---- What workers do ----

-- As the owner: no search_path is set here, since triggers of the user's see it.
CREATE PROCEDURE lmtext_internal.run_scheduled(job_name text)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(job_name);
    most int := lmtext_internal.job_option(job, 'max_workers')::int;
BEGIN
    IF job.author OPERATOR(pg_catalog.<>) CURRENT_USER THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" was scheduled by another role', job.name),
            HINT = pg_catalog.format('Look at the triggers of %s, and call lmtext.schedule_job or lmtext.attach.', job.target);
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'start', '{}');
    COMMIT;
    IF most OPERATOR(pg_catalog.>) 1 THEN
        CALL lmtext_internal.run_workers(job.name, most, true);
    ELSE
        CALL lmtext_internal.run_batches(job.name, NULL);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_scheduled(text) IS 'a run of a job that the launcher has begun';

-- Returns the jobs that follow: the worker runs each in the same way.
CREATE FUNCTION lmtext_internal.end_scheduled(job_name text, state text, said text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1 AS $$
DECLARE
    job lmtext.job;
BEGIN
    SELECT j.* INTO job FROM lmtext.job j WHERE j.name OPERATOR(pg_catalog.=) job_name;
    IF state IS NOT NULL AND NOT EXISTS (SELECT FROM lmtext.job_run r
            WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
                AND r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND r.sqlstate OPERATOR(pg_catalog.=) state) THEN
        PERFORM lmtext_internal.end_run(job, lmtext_internal.write_job(job.work, 'begin', '{"model": "0"}'), 0, 0, 'failed', state, said);
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'over', '{}');
    RETURN QUERY SELECT n.name FROM pg_catalog.unnest(lmtext_internal.next_jobs(job)) n (name);
END $$;
COMMENT ON FUNCTION lmtext_internal.end_scheduled(text, text, text) IS 'note the end of a run that the launcher has begun; returns the jobs that follow it';

-- ---- When there is something new to look at ----

CREATE FUNCTION lmtext_internal.wake_launcher() RETURNS trigger
    AS 'MODULE_PATHNAME', 'lmtext_wake_launcher' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.wake_launcher() IS 'trigger: the launcher looks at this database when the transaction has committed';
REVOKE EXECUTE ON FUNCTION lmtext_internal.wake_launcher() FROM PUBLIC; -- a trigger of anybody's table would keep it going
CREATE TRIGGER wake AFTER INSERT OR UPDATE OR DELETE ON lmtext.job_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();
CREATE TRIGGER wake AFTER INSERT ON lmtext.alert
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();
CREATE TRIGGER wake AFTER INSERT OR UPDATE OF attached, paused ON lmtext.job
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();
