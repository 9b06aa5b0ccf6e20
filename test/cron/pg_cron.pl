# pg_cron.pl - the example of docs/nightly.md: pg_cron has a job run at a time, without lmtext's launcher. Runs where pg_cron
# is installed for this version of PostgreSQL (part cron). Its shortest time is a minute.
use strict;
use warnings;

use Lmtext;

my $node = start_node('cron', conf => "shared_preload_libraries = 'pg_cron'\n");
# It connects as any client does.
$node->append_conf('postgresql.conf', sprintf "cron.host = '%s'\n", $node->host);
$node->restart;
expect_restart();

value(<<"SQL");
CREATE EXTENSION pg_cron;
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
CREATE ROLE keeper LOGIN;
GRANT ALL ON SCHEMA public TO keeper; GRANT SELECT (file) ON "m\@1" TO keeper; GRANT USAGE ON SCHEMA cron TO keeper;
SQL
sub owner { return value($_[0], 'postgres', extra_params => [ '-U', 'keeper' ]) }
owner(q{CREATE TABLE doc (id int PRIMARY KEY, body text, who text); INSERT INTO doc SELECT i, 'text ' || i FROM generate_series(1, 25) i;
    CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.who := session_user; RETURN NEW; END';
    CREATE TRIGGER who BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION who();
    SELECT lmtext.create_job('nightly', 'doc', 'body', 'embed', 'm', 'embedding', '{"batch_size": 10}');
    SELECT cron.schedule('nightly', '* * * * *', $$CALL lmtext.run_job('nightly')$$)});
wait_for(q{SELECT count(*) > 0 AND bool_and(status = 'done') FROM lmtext.job_runs WHERE job = 'nightly'}, 'pg_cron has the job run');
is(value('SELECT count(embedding), string_agg(DISTINCT who, \',\') FROM doc'), '25|keeper', 'in whole, batch by batch, as its owner');
wait_for(q{SELECT bool_and(status = 'succeeded') FROM cron.job_run_details}, 'and sees it succeed');
owner(q{SELECT cron.unschedule('nightly')});
done();
