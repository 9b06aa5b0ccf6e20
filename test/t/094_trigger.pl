# 094_trigger.pl - lmtext.embed_trigger where search_path is empty: in a logical replication worker. A trigger's model is the
# same whoever fires it, and never one that a stranger has put into the table's schema.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $node = start_node('trigger', streaming => 'logical', conf => "log_min_messages = warning\nwal_retrieve_retry_interval = 200ms\n");
my $definition = 'CREATE TABLE doc (id int PRIMARY KEY, title text, body text)';
$publisher->safe_psql('postgres', "$definition; CREATE PUBLICATION docs FOR TABLE doc");

# Three versions of one name: what answers tells which was used.
value(<<"SQL");
CREATE EXTENSION lmtext;
CREATE SCHEMA app; CREATE SCHEMA ml; CREATE SCHEMA other;
SELECT lmtext.import_model('app.tiny', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert'),
    lmtext.import_model('ml.tiny', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-silu'),
    lmtext.import_model('other.tiny', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-tanh');
SQL

# Which model made the vector of a row.
sub made_by
{
    my ($id, $text) = @_;
    return value(qq{SELECT string_agg(m, ' ') FROM doc, unnest('{app,ml,other}'::text[]) m
        WHERE id = $id AND embedding = lmtext.embed($text, m || '.tiny\@1')});
}

sub publish { return $publisher->safe_psql('postgres', $_[0]); }

sub arrives
{
    my ($id, $what) = @_;
    return ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM public.doc WHERE id = $id"), $what);
}

# Where the worker fails, it says so again and again.
sub worker_says
{
    my ($pattern, $what) = @_;
    my $from = -s $node->logfile;
    return ok($node->wait_for_log($pattern, $from), $what);
}

# In one transaction: a worker that tries again meanwhile finds no row without a trigger.
sub trigger
{
    my ($arguments) = @_;
    value("BEGIN; DROP TRIGGER IF EXISTS keep ON public.doc;
        CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON public.doc FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger($arguments);
        ALTER TABLE public.doc ENABLE ALWAYS TRIGGER keep; COMMIT");
    return;
}

value("$definition; ALTER TABLE doc ADD embedding real[]");
trigger(q{'body', 'embedding', 'app.tiny@1'});
value("CREATE SUBSCRIPTION docs CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION docs");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_subscription_rel WHERE srsubstate = 'r'}) or die 'no sync';
publish(q{INSERT INTO doc VALUES (1, 'one', 'the first')});
arrives(1, 'a row whose trigger names the schema');
is(made_by(1, 'body'), 'app', 'has its vector');

# ---- A name without a schema ----

trigger(q{'body', 'embedding', 'tiny@1'});
is(state_of(q{SET search_path = public, ml; INSERT INTO doc VALUES (100, '', 'by path')}), '', 'by search_path, where the schema has none');
is(made_by(100, 'body'), 'ml', 'the model of that schema');
publish(q{INSERT INTO doc VALUES (2, 'two', 'the second')});
worker_says(qr/ERROR:  model version "tiny\@1" does not exist\n.*DETAIL:  The trigger looks for it in schema "public".*\n.*HINT:  Name the schema in the trigger's argument, as in 'schema\.tiny\@1'\.\n.*CONTEXT:  row id=2 of table "doc", trigger "keep"/,
    'a replication worker has none, and says what to write');
unlike(slurp_file($node->logfile), qr/the second/, 'without what the row says');
trigger(q{'body', 'embedding', 'ml.tiny@1'});
arrives(2, 'which ends the wait');
is(made_by(2, 'body'), 'ml', 'as it was written');

# A table beside its model.
value('DROP TRIGGER keep ON public.doc');
value(qq{SELECT lmtext.import_model('public.tiny', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-tanh')});
trigger(q{'body', 'embedding', 'tiny@1'});
publish(q{INSERT INTO doc VALUES (3, 'three', 'the third')});
arrives(3, 'a model in the schema of the table is found by a worker');
is(made_by(3, 'body'), 'other', 'and used');
is(state_of(q{SET search_path = ml, public; INSERT INTO doc VALUES (101, '', 'by path')}), '', 'and whatever search_path is');
is(made_by(101, 'body'), 'other', 'the same is used by all');
# (numbers begin anew, so that the stranger's version has the name)
value(q{SELECT lmtext.drop_model('public.tiny'); DELETE FROM lmtext.model_name WHERE schema = 'public'});

# ---- Strangers ----

value(<<"SQL");
CREATE ROLE stranger; CREATE ROLE team; CREATE ROLE member IN ROLE team;
GRANT ALL ON SCHEMA public TO stranger, team;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO stranger, team;
SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny';
SET ROLE stranger;
SELECT lmtext.import_model('public.tiny', 'bert-silu'), lmtext.grant_model('public.tiny', 'member');
GRANT SELECT ON public."tiny\@1" TO PUBLIC;
SQL
is(value(q{SELECT count(*) FROM lmtext.models WHERE name = 'tiny' AND owner = 'stranger'}), 1, 'a stranger makes a model in the schema of the table');
publish(q{INSERT INTO doc VALUES (4, 'four', 'the fourth')});
worker_says(qr/ERROR:  model version "tiny\@1" does not exist/, 'it is not taken by a worker');
is(state_of(q{SET search_path = ml; INSERT INTO public.doc VALUES (102, '', 'by path')}), '', 'nor before search_path');
is(value(q{SELECT embedding = lmtext.embed(body, 'ml.tiny@1') FROM doc WHERE id = 102}), 't', 'which finds what it found');
value('ALTER TABLE public."tiny@1" OWNER TO team; ALTER TABLE public.doc OWNER TO member; GRANT SELECT ON doc TO PUBLIC');
arrives(4, 'a model of a role that the owner of the table belongs to is taken');
is(value(q{SELECT embedding = lmtext.embed(body, 'public.tiny@1') FROM doc WHERE id = 4}), 't', 'and used');
value('ALTER TABLE public.doc OWNER TO postgres; ALTER TABLE public."tiny@1" OWNER TO stranger; ALTER SCHEMA public OWNER TO stranger');
publish(q{INSERT INTO doc VALUES (5, 'five', 'the fifth')});
arrives(5, 'so is one of the owner of the schema');

# ---- Expressions ----

trigger(q{$$concat_ws(E'\n', title, upper(body))$$, 'embedding', 'ml.tiny@1'});
publish(q{INSERT INTO doc VALUES (6, 'six', 'the sixth'); UPDATE doc SET body = 'another' WHERE id = 5; UPDATE doc SET id = 40 WHERE id = 4});
arrives(6, 'an expression is computed by a worker');
is(made_by(6, q{title || E'\n' || upper(body)}), 'ml', 'over the row');
is(made_by(5, q{title || E'\n' || upper(body)}), 'ml', 'and when it changes');
is(value(q{SELECT embedding = lmtext.embed(body, 'public.tiny@1') FROM doc WHERE id = 40}), 't', 'but not when it does not');

value('DROP SUBSCRIPTION docs');
$publisher->stop;
done();
