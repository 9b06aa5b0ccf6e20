# citus.pl - models on the nodes of a Citus cluster: one coordinator, one worker, a distributed table. Runs where Citus is
# installed for this version of PostgreSQL (part citus).
use strict;
use warnings;

use Lmtext;

my $conf = "shared_preload_libraries = 'citus'\ncitus.node_conninfo = 'sslmode=prefer'\n";
my $worker = start_node('worker', conf => $conf);
my $coordinator = start_node('coordinator', conf => $conf);
$_->safe_psql('postgres', 'CREATE EXTENSION citus; CREATE EXTENSION lmtext') for $worker, $coordinator;
value(sprintf q{CREATE EXTENSION dblink; SELECT citus_set_coordinator_host('%s', %d); SELECT citus_add_node('%s', %d)},
    $coordinator->host, $coordinator->port, $worker->host, $worker->port);
value("SELECT lmtext.import_model('m', '$tiny')");
is(value(q{SELECT string_agg(concat_ws(' ', model, copied), ', ') FROM lmtext.cluster_enable()}), '"m@1" t', 'the model goes to the worker');
is(value(q{SELECT string_agg(concat_ws(' ', model, copied), ', ') FROM lmtext.cluster_enable()}), '"m@1" f', 'once');
value(q{CREATE TABLE doc (id int PRIMARY KEY, body text, v real[]); SELECT create_distributed_table('doc', 'id');
    INSERT INTO doc SELECT i, 'text ' || i FROM generate_series(1, 50) i;
    UPDATE doc SET v = lmtext.embed(body, 'public.m@1'::regclass)});
is(value(q{SELECT count(*) FROM doc WHERE v = lmtext.embed(body, 'public.m@1'::regclass)}), 50, 'shards compute with it');
is(value(q{SELECT id FROM doc ORDER BY v <=> lmtext.embed('text 7', 'public.m@1'::regclass) LIMIT 1}), 7, 'and search');
done();
