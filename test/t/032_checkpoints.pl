# 032_checkpoints.pl - checkpoints of a training: one that was killed or cancelled goes on and gives the bytes of an
# undisturbed run; whose table they may be; what cannot be gone on from.
use strict;
use warnings;

use Lmtext;

my $node = start_node('checkpoints');

value(<<'SQL');
CREATE EXTENSION lmtext;
CREATE TABLE doc AS
    SELECT i AS id, (ARRAY['good fine nice', 'bad awful poor', 'so so plain'])[1 + i % 3] || ' word' || (i % 17) || ' text' || (i % 29) AS body,
           (ARRAY['pos', 'neg', 'mid'])[1 + i % 3] AS label
    FROM generate_series(1, 400) i;
SQL

my $query = 'SELECT body, label FROM doc ORDER BY id';

# Dropout, an average and an order that changes by epoch: all that a checkpoint must bring back.
sub training
{
    my ($name, $epochs, $more) = @_;
    return qq{CALL lmtext.train('$name', '$query', '{"method": "layers", "layers": [{"embedding": 24}, {"lstm": 24, "dropout": 0.2}, {"linear": 3}],
        "epochs": $epochs, "batch_size": 16, "ema": 0.9, "clip_norm": 1, "checkpoint_steps": 10, $more "log_steps": 5}');};
}

sub bytes_of
{
    my ($version) = @_;
    return value(qq{SELECT md5(string_agg(data, ''::bytea ORDER BY file, part)) FROM "$version" WHERE file = 'model.safetensors'});
}

sub tables
{
    return value(q{SELECT count(*) FROM pg_class WHERE relname LIKE '%@checkpoint'});
}

my $epochs = 48; # long enough for what must come before its end
my $kept = 'SELECT EXISTS (SELECT FROM "%s@checkpoint" WHERE step >= %d)';

value(training('whole', $epochs, ''));
is(tables(), 0, 'a training that is over leaves no checkpoint');
is(value(q{SELECT count(*) > 20 AND bool_and(epoch > 0 AND learning_rate > 0 AND gradient_norm > 0) AND count(measures -> 'accuracy') > 10
           FROM lmtext.train_log WHERE model = 'whole'}), 't', 'the log has epoch, rate, norm and measures by name');

# ---- Cancelled, then killed ----

{
    my $session = session();
    my $pid = begin_in($session, training('broken', $epochs, ''));
    wait_for(q{SELECT to_regclass('"broken@checkpoint"') IS NOT NULL}, 'checkpoints are seen by others while it runs');
    wait_for(sprintf($kept, 'broken', 20), 'a later one takes the place of the first');
    is(value("SELECT state FROM lmtext.train_runs WHERE model = 'broken'"), 'running', 'which goes on behind a commit');
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($session), qr/57014/, 'it can be cancelled');
    is(value("SELECT state FROM lmtext.train_runs WHERE model = 'broken'"), 'failed', 'and has failed');
    my $step = value('SELECT max(step) FROM "broken@checkpoint"');
    cmp_ok($step, '>=', 20, 'the last checkpoint is kept');

    $pid = begin_in($session, training('broken', $epochs, '"resume": true,'));
    wait_for(sprintf($kept, 'broken', $step + 20), 'a resumed run makes checkpoints');
    crash($pid);
    eval { $session->quit };
    expect_restart();
    cmp_ok(value('SELECT max(step) FROM "broken@checkpoint"'), '>=', $step + 20, 'a crash keeps the last checkpoint');
    is(value('SELECT count(DISTINCT step) FROM "broken@checkpoint"'), 1, 'which is whole');

    like(complaint(training('broken', $epochs, '"resume": true,')), qr/goes on behind step \d+/, 'it goes on');
    is(bytes_of('broken@1'), bytes_of('whole@1'), 'the model has the bytes of an undisturbed one');
    is(tables(), 0, 'and the checkpoint is gone');
}

# ---- Refusals ----

is(state_of('BEGIN; ' . training('inside', 1, '')), '25001', 'none inside a transaction block');
is(state_of(training('x' x 55, 1, '')), '42622', 'nor for a name that leaves no room for the table');

# What a killed run left, made by hand: the rows of a run that was cancelled.
{
    my $session = session();
    my $pid = begin_in($session, training('other', $epochs, ''));
    wait_for(q{SELECT to_regclass('"other@checkpoint"') IS NOT NULL}, 'another one');
    value("SELECT pg_cancel_backend($pid)");
    end_in($session);
    $session->quit;
    is(state_of(training('other', 2 * $epochs, '"resume": true,')), '22023', 'a checkpoint is not of other options');
    value("UPDATE doc SET body = body || '!' WHERE id = 7");
    is(state_of(training('other', $epochs, '"resume": true,')), '22023', 'nor of other rows');
    value("UPDATE doc SET body = replace(body, '!', '') WHERE id = 7");
    value(q{UPDATE "other@checkpoint" SET data = substr(data, 1, 40)});
    is(state_of(training('other', $epochs, '"resume": true,')), '22023', 'nor cut short');
    value(training('other', $epochs, ''));
    is(bytes_of('other@1'), bytes_of('whole@1'), 'without resume it starts anew, in its place');
}

# A table of that name with somebody's trigger is not touched.
value(<<'SQL');
CREATE ROLE squatter;
GRANT CREATE ON SCHEMA public TO squatter;
SET ROLE squatter;
CREATE TABLE public."taken@checkpoint" (step bigint, rows_hash bigint, part int, data bytea);
SQL
is(state_of(training('taken', 1, '')), '42501', 'a table of another role is in the way');
is(state_of(training('taken', 1, '"resume": true,')), '42501', 'to resume as well');
is(value(q{SELECT relowner::regrole FROM pg_class WHERE relname = 'taken@checkpoint'}), 'squatter', 'and stays');
value(q{ALTER TABLE "taken@checkpoint" OWNER TO CURRENT_USER; CREATE RULE r AS ON INSERT TO "taken@checkpoint" DO INSTEAD NOTHING});
is(state_of(training('taken', 1, '')), '42501', 'so is one with a rule');
value('DROP TABLE "taken@checkpoint"');
my %odd = ('with a trigger' => q{CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER t BEFORE INSERT ON "taken@checkpoint" FOR EACH ROW EXECUTE FUNCTION nothing()},
    'with policies' => 'ALTER TABLE "taken@checkpoint" ENABLE ROW LEVEL SECURITY',
    'with children' => 'CREATE TABLE child () INHERITS ("taken@checkpoint")',
    'with another column' => 'ALTER TABLE "taken@checkpoint" ADD more int',
    'without one' => 'ALTER TABLE "taken@checkpoint" DROP data, ADD data bytea NOT NULL',
    'with another name' => 'ALTER TABLE "taken@checkpoint" RENAME data TO bytes');
for my $what (sort keys %odd) {
    value(qq{CREATE TABLE "taken\@checkpoint" (step bigint NOT NULL, rows_hash bigint NOT NULL, part int NOT NULL, data bytea NOT NULL); $odd{$what}});
    is(state_of(training('taken', 1, '"resume": true,')), '42501', "one $what is none of ours");
    value('DROP TABLE "taken@checkpoint" CASCADE');
}
value('CREATE VIEW "taken@checkpoint" AS SELECT 1 AS step');
is(state_of(training('taken', 1, '')), '42501', 'nor is a view');
value('DROP VIEW "taken@checkpoint"');
for my $columns ('data int NOT NULL', 'data bytea', 'data text NOT NULL') {
    value(qq{CREATE TABLE "taken\@checkpoint" (step bigint NOT NULL, rows_hash bigint NOT NULL, part int NOT NULL, $columns)});
    value(q{INSERT INTO "taken@checkpoint" (step, rows_hash, part, data) VALUES (1, 1, 0, } . ($columns eq 'data bytea' ? 'NULL' : "'7'") . ')');
    is(state_of(training('taken', 1, '"resume": true,')), '42501', "one with $columns is none of ours");
    value('DROP TABLE "taken@checkpoint"');
}

done();
