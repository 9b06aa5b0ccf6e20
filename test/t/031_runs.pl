# 031_runs.pl - eight runs are shown: what becomes of them when more train, when one's transaction ends after its place
# went to another run, and when a session ends.
use strict;
use warnings;

use Lmtext;

my $places = 8;
my $node = start_node('runs', conf => "max_connections = 30\n");
value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('tiny', '$tiny');
    CREATE TABLE doc AS SELECT 'text number ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 20) i;
    CREATE FUNCTION held(int) RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock_shared(\$1); RETURN pg_advisory_unlock_shared(\$1); END';
});

# A training, whose query waits where $lock is held.
sub training
{
    my ($model, $lock) = @_;
    my $where = $lock ? " WHERE held($lock)" : '';
    return "SET client_min_messages = warning;
        CALL lmtext.train('$model', 'SELECT body, label FROM doc$where', '{\"base\": \"tiny\", \"hold_out\": 0}');";
}

sub states
{
    my ($where) = @_;
    return value("SELECT string_agg(state, ' ' ORDER BY run) FROM lmtext.train_runs WHERE $where");
}

# ---- More runs than places ----

my $late = session();
say_in($late, 'BEGIN;' . training('late'));
is(states(q{model = 'late'}), 'done', 'a run is done before its transaction is');
value(training("after$_")) for 1 .. $places;
is(states(q{model = 'late'}), '', 'eight more take all places');
say_in($late, 'ROLLBACK');
is(states('true'), join(' ', ('done') x $places), 'and the rollback of the first marks none of them');
$late->quit;

# ---- A training in the query of another ----

value(q{
    CREATE FUNCTION nested() RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN CALL lmtext.train(''inner'', ''SELECT body, label FROM doc'', ''{"base": "tiny", "hold_out": 0, "max_steps": 2}''); RETURN true; END';
    CREATE FUNCTION failing() RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN CALL lmtext.train(''inner'', ''SELECT body, label FROM doc'', ''{"base": "absent"}''); RETURN true;
         EXCEPTION WHEN undefined_object THEN RETURN true; END';
});
for my $function (qw(nested failing))
{
    value(qq{SET client_min_messages = warning;
        CALL lmtext.train('outer', 'SELECT body, label FROM doc WHERE (SELECT $function())', '{"base": "tiny", "hold_out": 0}')});
    is(value(q{SELECT concat_ws(' ', state, phase, total) FROM lmtext.train_runs WHERE model = 'outer' ORDER BY run DESC LIMIT 1}),
        'done done 20', "a training with another in its query: $function");
}
is(states(q{model = 'inner'}), '', 'which is not seen');
is(value(q{SELECT count(*) FROM lmtext.models WHERE name = 'inner'}), 1, 'and has made its version where it could');

# ---- All places taken by runs under way ----

my $holder = session();
say_in($holder, 'SELECT pg_advisory_lock(1)');
my @sessions = map { session() } 1 .. $places;
my @pids = map { begin_in($sessions[ $_ - 1 ], training("waits$_", 1)) } 1 .. $places;
wait_for(q{SELECT count(*) = 8 FROM pg_stat_activity WHERE wait_event = 'advisory'}, 'eight trainings wait in their queries');
is(states('true'), join(' ', ('running') x $places), 'which all places show');
value(training('unseen'));
is(states(q{model = 'unseen'}), '', 'a ninth has no place');
is(value(q{SELECT lmtext.classify('a text', 'unseen') IN ('0', '1')}), 't', 'and trains');

# ---- A session that ends ----

value("SELECT pg_terminate_backend($pids[0])");
wait_for("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pids[0]", 'one of the sessions is terminated');
is(states(q{model = 'waits1'}), 'failed', 'its run failed');
say_in($holder, 'SELECT pg_advisory_unlock(1)');
unlike(end_in($_), qr/ERROR/, 'another ends well') for @sessions[ 1 .. $#sessions ];
is(states(q{model <> 'waits1'}), join(' ', ('done') x ($places - 1)), 'and theirs are done');
eval { $sessions[0]->quit };
$_->quit for $holder, @sessions[ 1 .. $#sessions ];

done();
