-- When jobs run by themselves: cron, time zones, windows, and what schedule_job refuses. The launcher is tested by 141_schedule.pl.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
\pset null -
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Times behind the evening of a Wednesday.
CREATE TEMP VIEW evening AS SELECT timestamptz '2026-01-14 22:30:15.5+00' AS at;
SELECT c.cron, lmtext_internal.next_time(c.cron, 'UTC', e.at), to_char(lmtext_internal.next_time(c.cron, 'UTC', e.at), 'Dy') AS day
FROM evening e, (VALUES
    ('* * * * *'), ('*/7 * * * *'), ('30 22 * * *'), ('31 22 * * *'), ('0 3 * * *'), ('0,20,40 22-23 * * *'), ('5-20/5 */6 * * *'),
    ('0 3 * * sat'), ('0 3 * * 6'), ('0 3 * * 7'), ('0 3 * * 0'), ('0 3 * * Sun'), ('0 3 * * fri-sun'), ('0 3 * * mon-fri/2'),
    ('0 3 1 * *'), ('0 3 31 * *'), ('0 3 29 feb *'), ('0 3 * JAN-mar *'), ('0 3 * dec *'),
    ('0 3 20 * sat'), ('0 3 15-21 * */6'), ('0 3 */2 * wed'), ('0 12 13 * fri'),
    ('0  3	* *   *'), ('@hourly'), ('@daily'), ('@midnight'), ('@weekly'), ('@monthly'), ('@yearly'), ('@ANNUALLY'),
    ('0 3 30 feb *'), ('0 3 31 4,6,9,11 *')) c (cron);
-- Eight years without a 29th of February.
SELECT lmtext_internal.next_time('0 0 29 2 *', 'UTC', '2096-03-01 00:00+00');

-- Windows of the day.
SELECT c.cron, c.not_before, c.not_after, lmtext_internal.next_time(c.cron, 'UTC', e.at, c.not_before, c.not_after)
FROM evening e, (VALUES
    ('*/10 * * * *', time '23:05', time '23:30'), ('*/10 * * * *', '23:05', '04:00'), ('*/10 * * * *', '02:00', '04:00'),
    ('*/10 * * * *', NULL, '04:00'), ('*/10 * * * *', '23:55', NULL), ('*/10 * * * *', '00:00', '24:00'), ('0 4 * * *', '02:00', '04:00'),
    ('0 2 * * *', '02:00', '04:00'), ('0 12 * * *', '22:00', '04:00'), ('0 * * * *', '22:01', '22:59')) c (cron, not_before, not_after);

-- Clocks that are put forward and back, in the zones' tables: a time that a clock skips, and one that it shows twice.
SELECT z.zone, c.cron, n.at AT TIME ZONE 'UTC' AS utc, n.at AT TIME ZONE z.zone AS there
FROM (VALUES ('Europe/Berlin', timestamptz '2026-03-28 22:00+00'), ('Europe/Berlin', '2026-10-24 22:00+00'),
        ('America/New_York', '2026-03-08 05:00+00'), ('Australia/Lord_Howe', '2026-10-03 14:00+00'), ('Pacific/Apia', '2011-12-30 05:00+00')) z (zone, at),
    (VALUES ('30 2 * * *'), ('0 3 * * *'), ('15 1-3 * * *'), ('*/40 * * * *')) c (cron),
    LATERAL (WITH RECURSIVE n (at, i) AS (
        SELECT lmtext_internal.next_time(c.cron, z.zone, z.at), 1
        UNION ALL SELECT lmtext_internal.next_time(c.cron, z.zone, n.at), i + 1 FROM n WHERE i < 4) SELECT n.at FROM n) n
ORDER BY z.at, c.cron COLLATE "C", n.at;

-- The same found otherwise: the next of all times of the days around, in PostgreSQL's reading of the wall's clock; of all minutes
-- that pass where an hour has an asterisk. No line: they agree.
CREATE TEMP TABLE field (cron text, any_hour boolean, minutes int[], hours int[]);
INSERT INTO field VALUES ('30 2 * * *', false, '{30}', '{2}'), ('0,30 1-3 * * *', false, '{0,30}', '{1,2,3}'), ('59 23 * * *', false, '{59}', '{23}'),
    ('0 0 * * *', false, '{0}', '{0}'), ('20,40 * * * *', true, '{20,40}', NULL), ('7 */2 * * *', true, '{7}', '{0,2,4,6,8,10,12,14,16,18,20,22}');
CREATE TEMP TABLE place AS SELECT z.zone, z.change + i * interval '37 minutes' AS at
FROM (VALUES ('Europe/Berlin', timestamptz '2026-03-29 01:00+00'), ('Europe/Berlin', '2026-10-25 01:00+00'), ('America/New_York', '2026-11-01 06:00+00'),
    ('Australia/Lord_Howe', '2026-10-03 15:30+00'), ('Australia/Lord_Howe', '2026-04-04 15:00+00'), ('Asia/Kathmandu', '2026-05-05 00:00+00'),
    ('America/St_Johns', '2026-03-08 05:30+00'), ('Pacific/Apia', '2011-12-30 10:00+00')) z (zone, change), generate_series(-60, 60) i;
WITH found AS (
    SELECT p.zone, f.cron, p.at, lmtext_internal.next_time(f.cron, p.zone, p.at) AS next,
        CASE WHEN f.any_hour THEN
            (SELECT min(m) FROM generate_series(date_trunc('minute', p.at) + interval '1 minute', p.at + interval '5 hours', '1 minute') m
             WHERE extract(minute FROM m AT TIME ZONE p.zone) = ANY (f.minutes)
                AND (f.hours IS NULL OR extract(hour FROM m AT TIME ZONE p.zone) = ANY (f.hours)))
        ELSE (SELECT min(w.wall AT TIME ZONE p.zone) FROM (
                SELECT ((p.at AT TIME ZONE p.zone)::date + d)::timestamp + h * interval '1 hour' + m * interval '1 minute' AS wall
                FROM generate_series(-1, 2) d, unnest(f.hours) h, unnest(f.minutes) m) w
             WHERE w.wall AT TIME ZONE p.zone > p.at) END AS expected
    FROM place p, field f)
SELECT zone, cron, at, next, expected FROM found WHERE next IS DISTINCT FROM expected LIMIT 5;
SELECT count(*) FROM place, field;

-- How often.
SELECT c.cron, lmtext_internal.count_times(c.cron, 'UTC', '2026-01-01 00:00+00', c.until)
FROM (VALUES ('0 3 * * *', timestamptz '2026-01-03 03:00+00'), ('0 3 * * *', '2026-01-03 02:59+00'), ('0 3 * * *', '2025-01-01 00:00+00'),
    ('* * * * *', '2027-01-01 00:00+00'), ('0 3 30 2 *', '2027-01-01 00:00+00')) c (cron, until);
SELECT lmtext_internal.count_times('@daily', 'UTC', '2026-01-01 00:00+00', '2026-01-08 00:00+00', '01:00', '02:00') AS outside,
    lmtext_internal.count_times(NULL, 'UTC', now(), now()) AS nothing, lmtext_internal.next_time('@daily', NULL, now()) AS nowhere;
SELECT lmtext_internal.next_clock('Europe/Berlin', '06:00', '2026-03-28 22:00+00'), lmtext_internal.next_clock('UTC', '24:00', '2026-03-28 22:00+00');
SELECT lmtext_internal.next_clock('UTC', '06:00', '294276-12-31 12:00+00') AS behind_all_times;
SELECT w.not_before, w.not_after, lmtext_internal.in_window('Europe/Berlin', w.not_before, w.not_after, '2026-01-14 22:30+00') AS inside
FROM (VALUES (time '22:00', time '06:00'), ('06:00', '22:00'), ('23:30', '23:31'), (NULL, '23:30'), ('23:31', NULL), (NULL, NULL), (NULL, '00:00')) w (not_before, not_after);
SELECT lmtext_internal.in_window(NULL, NULL, NULL, now()), lmtext_internal.in_window('UTC', NULL, NULL, NULL) AS nothing;
SELECT lmtext_internal.in_window('Mars', '06:00', '22:00', now());
-- CET is a zone that has summer time, and an abbreviation that has none: one reading for a schedule and its window, to the microsecond.
SELECT lmtext_internal.next_time('30 14 * * *', 'CET', '2026-07-01 12:00+00', '14:00', '15:00') AS next,
    lmtext_internal.in_window('CET', '14:00', '14:30:00.5', '2026-07-01 12:30:00.499999+00') AS inside,
    lmtext_internal.in_window('CET', '14:00', '14:30:00.5', '2026-07-01 12:30:00.5+00') AS behind,
    lmtext_internal.next_clock('CET', '14:30:00.5', '2026-07-01 12:30+00') AS ends, lmtext_internal.next_clock('CET', '24:00', '2026-07-01 12:30+00') AS midnight;

-- What cron does not have. The message names the field, what was found and what is allowed.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT lmtext_internal.next_time('61 3 * * *', 'UTC', now());
SELECT lmtext_internal.next_time('0 3 * foo *', 'UTC', now());
SELECT lmtext_internal.next_time('0 3 * *', 'UTC', now());
SELECT lmtext_internal.next_time('@reboot', 'UTC', now());
SELECT lmtext_internal.next_time('@daily', 'Mars/Olympus', now());
SELECT lmtext_internal.next_time('@daily', 'UTC', 'infinity');
\set VERBOSITY sqlstate
SELECT lmtext_internal.next_time('', 'UTC', now());
SELECT lmtext_internal.next_time('0 3 * * * *', 'UTC', now());
SELECT lmtext_internal.next_time('@daily', 'right/UTC', now());
CREATE FUNCTION pg_temp.state_of(cron text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM lmtext_internal.next_time(cron, 'UTC', now()); RETURN 'fine'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT c.cron, pg_temp.state_of(c.cron) FROM (VALUES
    ('-1 3 * * *'), ('1- 3 * * *'), ('5-1 3 * * *'), ('*/0 3 * * *'), ('5/2 3 * * *'), ('1,,2 3 * * *'), ('1, 3 * * *'), ('99999999999 3 * * *'),
    ('0 24 * * *'), ('0 3 0 * *'), ('0 3 32 * *'), ('0 3 * 0 *'), ('0 3 * 13 *'), ('0 3 * * 8'), ('0 3 * * monday'), ('0 3 ? * *'),
    ('0 3 L * *'), ('0 jan * * *'), ('*5 3 * * *'), ('*/a 3 * * *'), ('0 3 * * fri-mon')) c (cron);
\set VERBOSITY default

-- A schedule of a job.
CREATE SCHEMA scheduled;
SET search_path = scheduled, public;
\getenv source LMTEXT_SOURCE_DIR
\set folder :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'folder');
CREATE TABLE doc (id int PRIMARY KEY, body text);
SELECT lmtext.create_job('nightly', 'doc', 'body', 'embed', 'm', 'v');
SELECT lmtext.schedule_job('nightly', '0 3 * * *', 'Europe/Berlin', '22:00', '06:00');
SELECT job, cron, time_zone, not_before, not_after, next_run > now() AS comes, (next_run AT TIME ZONE 'Europe/Berlin')::time AS at, last_run, missed
FROM lmtext.schedules;
-- Another schedule takes the place of the first; the zone is the session's.
SELECT lmtext.schedule_job('nightly', '@hourly');
SELECT job, cron, time_zone, not_before, not_after, missed FROM lmtext.schedules;
\set VERBOSITY default
SELECT lmtext.schedule_job('nightly', '0 3 30 2 *');
SELECT lmtext.schedule_job('nightly', '0 12 * * *', 'UTC', '22:00', '06:00');
SELECT lmtext.schedule_job('nightly', '0 12 * * *', 'UTC', '22:00', '22:00');
SELECT lmtext.schedule_job('nightly', '0 25 * * *');
SELECT lmtext.schedule_job('nobody', '@daily');
SELECT lmtext.schedule_job('nightly', '@daily', 'Nowhere');
SELECT lmtext.create_job('other', 'doc', 'body', 'embed', 'm', 'w', '{"min_workers": 3}');
SELECT lmtext.create_job('other', 'doc', 'body', 'embed', 'm', 'w', '{"max_workers": 65}');
SELECT lmtext.create_job('other', 'doc', 'body', 'embed', 'm', 'w', '{"min_workers": 0}');
SELECT lmtext.create_job('other', 'doc', 'body', 'embed', 'm', 'w', '{"missed_runs": "all"}');
\set VERBOSITY default
CREATE ROLE not_the_owner;
SET ROLE not_the_owner;
SELECT lmtext.schedule_job('nightly', NULL);
SELECT lmtext_internal.queue_is_filled('scheduled.doc');
SELECT count(*) FROM lmtext_internal.due_work('1 second') WHERE errand = 'run';
SELECT lmtext_internal.put_off(work, 0) FROM lmtext.job_schedule;
CREATE TEMP TABLE mine (x int);
CREATE TRIGGER wake AFTER INSERT ON mine EXECUTE FUNCTION lmtext_internal.wake_launcher();
SELECT lmtext_internal.parse_text('pg_authid', 'rolname', false);
SELECT lmtext_internal.parse_text('lmtext.job_run', 'status', false) AS of_one_column;
REVOKE ALL ON mine FROM CURRENT_USER;
SELECT lmtext_internal.parse_text('mine', 'x', false) AS of_the_owner;
SELECT lmtext_internal.parse_text(1::oid::regclass, 'x', false);
DROP TABLE mine;
RESET ROLE;
DROP ROLE not_the_owner;
SELECT lmtext.schedule_job('nightly', NULL);
SELECT count(*) FROM lmtext.schedules;
SELECT lmtext.schedule_job('nightly', NULL);

-- What a visit of the launcher finds.
SELECT lmtext.schedule_job('nightly', '0 3 * * *', 'UTC');
SELECT errand, job, at = (SELECT next_run FROM lmtext.schedules) AS at_next FROM lmtext_internal.due_work('1 second');
UPDATE lmtext.job_schedule SET next_run = now() - interval '1 minute';
SELECT errand, role = current_user::regrole AS mine, job, at - now() < interval '1 hour' AS soon FROM lmtext_internal.due_work('1 hour');
-- Its window is closed; it is open until the clock shows its end.
UPDATE lmtext.job_schedule SET not_before = (now() AT TIME ZONE 'UTC' + interval '2 hours')::time, not_after = (now() AT TIME ZONE 'UTC' + interval '4 hours')::time;
SELECT errand, job, round(extract(epoch FROM at - now()) / 3600) AS hours FROM lmtext_internal.due_work('1 minute');
UPDATE lmtext.job_schedule SET not_before = (now() AT TIME ZONE 'UTC' - interval '2 hours')::time, not_after = (now() AT TIME ZONE 'UTC' + interval '4 hours')::time;
SELECT errand, job, round(extract(epoch FROM at - now()) / 3600) AS hours FROM lmtext_internal.due_work('1 minute');
-- Paused, it is not looked at.
SELECT lmtext.pause_job('nightly');
SELECT errand, job, at FROM lmtext_internal.due_work('1 minute');
SELECT lmtext.resume_job('nightly');
-- Five workers that have done nothing are enough.
UPDATE lmtext.job_schedule SET not_before = NULL, not_after = NULL, tries = 5;
SELECT errand, job FROM lmtext_internal.due_work('1 minute');
SELECT job, status, sqlstate, message, model FROM lmtext.job_runs;
SELECT missed, next_run > now() AS comes FROM lmtext.schedules;
-- A zone that the server no longer has does not keep other jobs back.
SELECT lmtext.create_job('other', 'doc', 'body', 'embed', 'm', 'w', '{"missed_runs": "skip"}');
SELECT lmtext.schedule_job('other', '0 3 * * *', 'UTC');
UPDATE lmtext.job_schedule SET next_run = date_trunc('day', now()) - interval '21 hours', time_zone = CASE WHEN work = '"nightly@job"'::regclass THEN 'Mars' ELSE 'UTC' END,
    not_before = '00:00', not_after = '24:00';
SET client_min_messages = warning;
SELECT errand, job FROM lmtext_internal.due_work('1 minute');
SELECT job, missed BETWEEN 1 AND 3 AS skipped, next_run > now() AS comes FROM lmtext.schedules WHERE job = 'other';
RESET client_min_messages;
-- A job that follows one which could not begin is skipped; and what is older than 90 days goes.
SELECT lmtext.create_job('behind', 'doc', 'body', 'embed', 'm', 'z', '{"after": "other"}');
UPDATE lmtext.job_run SET started_at = now() - interval '91 days' WHERE id = (SELECT min(run) FROM lmtext.job_runs WHERE job = 'nightly');
UPDATE lmtext.job_schedule SET next_run = now() - interval '1 minute', tries = 5, time_zone = 'UTC';
SELECT errand, job FROM lmtext_internal.due_work('1 minute');
SELECT job, status, sqlstate, message, finished_at IS NOT NULL AS over FROM lmtext.job_runs ORDER BY run;
SELECT lmtext.drop_job('behind');
-- What its former owner's triggers do a new owner has not asked for.
CREATE ROLE new_owner;
GRANT ALL ON SCHEMA scheduled TO new_owner;
GRANT ALL ON doc TO new_owner;
ALTER TABLE "other@job" OWNER TO new_owner;
ALTER ROLE new_owner LOGIN;
DELETE FROM lmtext.job_run;
UPDATE lmtext.job_schedule SET next_run = now() - interval '1 minute';
SELECT errand, job FROM lmtext_internal.due_work('1 minute');
SELECT job, status, sqlstate, message FROM lmtext.job_runs WHERE job = 'other';
GRANT SELECT ON "m@1" TO new_owner;
SET SESSION AUTHORIZATION new_owner;
CALL lmtext_internal.run_scheduled('other');
SELECT lmtext.schedule_job('other', '0 3 * * *', 'UTC');
RESET SESSION AUTHORIZATION;
SELECT author FROM lmtext.job WHERE name = 'other';
UPDATE lmtext.job_schedule SET next_run = now() - interval '1 minute' WHERE work = '"other@job"'::regclass;
SELECT errand, role::regrole, job FROM lmtext_internal.due_work('1 minute');
ALTER TABLE "other@job" OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA scheduled FROM new_owner;
REVOKE ALL ON doc FROM new_owner;
REVOKE ALL ON "m@1" FROM new_owner;
DROP ROLE new_owner;
-- The queue of an attached job.
SELECT lmtext.schedule_job('nightly', NULL), lmtext.schedule_job('other', NULL);
SELECT lmtext.attach('nightly');
DELETE FROM lmtext.job_run;
SELECT errand, job FROM lmtext_internal.due_work('1 minute');
CALL lmtext.run_job('nightly');
SELECT errand, job FROM lmtext_internal.due_work('0');
INSERT INTO doc VALUES (1, 'a text');
SELECT errand, job FROM lmtext_internal.due_work('0');
SELECT errand, job FROM lmtext_internal.due_work('1 hour');
UPDATE lmtext.job_run SET status = 'failed';
SELECT errand, job FROM lmtext_internal.due_work('0');
-- What a run has taken from the queue is not lost with the run; a bad end is followed by a rest.
DELETE FROM "nightly@queue";
CREATE FUNCTION pg_temp.orders(ended text, ago interval) RETURNS bigint LANGUAGE sql AS $$
UPDATE lmtext.job_run SET status = ended, started_at = clock_timestamp() - ago, pid = 0, done = 0;
SELECT count(*) FROM lmtext_internal.due_work('0') WHERE errand = 'run';
$$;
SELECT s.status, pg_temp.orders(s.status, '1 second') AS now, pg_temp.orders(s.status, '11 minutes') AS after_a_rest
FROM unnest('{done,stopped,paused,running,interrupted,cancelled,failed}'::text[]) s (status);
-- A fifth worker that ended without a word is the last one, until another run has ended; one that was skipped says nothing.
INSERT INTO lmtext.job_run (work, pid, status) SELECT '"nightly@job"', 0, 'running' FROM generate_series(1, 3);
SELECT pg_temp.orders('interrupted', '11 minutes');
INSERT INTO lmtext.job_run (work, pid, status) VALUES ('"nightly@job"', 0, 'running');
SELECT pg_temp.orders('interrupted', '11 minutes');
INSERT INTO lmtext.job_run (work, pid, status) VALUES ('"nightly@job"', 0, 'skipped');
SELECT count(*) FROM lmtext_internal.due_work('0') WHERE errand = 'run';
SELECT status, sqlstate, count(*) FROM lmtext.job_runs WHERE job = 'nightly' GROUP BY 1, 2 ORDER BY 1;
UPDATE lmtext.job_run SET started_at = now() - interval '11 minutes';
SELECT count(*) FROM lmtext_internal.due_work('0') WHERE errand = 'run';
UPDATE lmtext.job_run SET done = 1 WHERE sqlstate = '57P01';
SELECT count(*) FROM lmtext_internal.due_work('0') WHERE errand = 'run';
-- A run of a session that is at another statement by now is over: its last commit failed.
DELETE FROM lmtext.job_run;
INSERT INTO lmtext.job_run (work, pid, status) VALUES ('"nightly@job"', pg_backend_pid(), 'running');
SELECT status FROM lmtext.job_runs WHERE job = 'nightly';
INSERT INTO doc VALUES (2, 'another text');
SELECT lmtext_internal.queue_is_filled('"nightly@queue"'), lmtext_internal.queue_is_filled('"nightly@job"');
SELECT lmtext_internal.queue_is_filled('lmtext.jobs');
SELECT lmtext_internal.queue_is_filled(1::oid::regclass);
SELECT lmtext_internal.wake_launcher();
CREATE FUNCTION wake_launcher() RETURNS integer AS '$libdir/lmtext', 'lmtext_wake_launcher' LANGUAGE C;
SELECT wake_launcher();
DROP FUNCTION wake_launcher();

-- It goes over to a job that takes the place of another, and with the job.
SELECT lmtext.schedule_job('nightly', '0 3 * * *', 'Europe/Berlin', '22:00', '06:00');
SELECT lmtext.create_job('next', 'doc', 'body', 'embed', 'm', 'next');
CALL lmtext.run_job('next');
SELECT lmtext.switch_job('next', 'v', '{"drop_old": true}');
SELECT job, cron, time_zone, not_before, not_after, next_run > now() AS comes, last_run, missed FROM lmtext.schedules;
SELECT lmtext.create_job('last', 'doc', 'body', 'embed', 'm', 'last');
SELECT lmtext.schedule_job('last', '@daily', 'UTC');
CALL lmtext.run_job('last');
SELECT lmtext.switch_job('last', 'v', '{"drop_old": true}');
SELECT job, cron FROM lmtext.schedules;
SELECT lmtext.drop_job('last'), lmtext.drop_job('other');
SELECT count(*) FROM lmtext.job_schedule;
SET client_min_messages = warning;
SELECT lmtext.drop_model('m');
DROP SCHEMA scheduled CASCADE;
