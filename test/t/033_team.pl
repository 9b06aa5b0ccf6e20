# 033_team.pl - workers that help with the batches of a training: the same bits whoever helps, what becomes of it when the session or
# a worker is cancelled, terminated or killed, and that nothing is left behind.
use strict;
use warnings;

use Lmtext;

my $node = start_node('team', conf => "max_worker_processes = 8\n");

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('tiny', '$tiny', '{"task": "embedding"}');
CREATE TABLE doc AS
    SELECT i AS id, (ARRAY['good fine nice', 'bad awful poor', 'so so plain'])[1 + i % 3] || repeat(' word' || (i % 17), 1 + i % 7) AS body,
           (ARRAY['pos', 'neg', 'mid'])[1 + i % 3] AS label, 'then' || i AS other, i % 5 / 4.0::float8 AS number
    FROM generate_series(1, 90) i;
SQL

my $workers = q{FROM pg_stat_activity WHERE backend_type = 'lmtext training'};

sub training
{
    my ($name, $more, $columns) = @_;
    $columns //= 'body, label';
    return qq{CALL lmtext.train('$name', 'SELECT $columns FROM doc ORDER BY id', '{"base": "tiny", "method": "finetune", "batch_size": 16, "dropout": 0.1, $more}');};
}

# A net of layers, from scratch.
sub net
{
    my ($name, $more, $columns) = @_;
    $columns //= 'body, label';
    return qq{CALL lmtext.train('$name', 'SELECT $columns FROM doc ORDER BY id', '{"method": "layers", "batch_size": 16, $more}');};
}

sub bytes_of
{
    my ($version) = @_;
    return value(qq{SELECT md5(string_agg(data, ''::bytea ORDER BY file, part)) FROM "$version" WHERE file = 'model.safetensors'});
}

sub left_behind
{
    my ($segments, $what) = @_;
    wait_for("SELECT count(*) = 0 $workers", "$what: no worker is left");
    is(scalar(my @now = shared_segments()), $segments, "$what: no memory is left");
    return;
}

value(q{SELECT lmtext.embed(body, 'tiny') FROM doc LIMIT 1});
value(training('first', '"epochs": 1'));
my $segments = () = shared_segments();

# ---- The same bits ----

for my $case ([ 'classification', 'body, label' ], [ 'similarity', 'body, other, number' ], [ 'tagging', q{string_to_array(body, '' ''), array_fill(label, ARRAY[cardinality(string_to_array(body, '' ''))])} ],
    [ 'rerank', 'body, other, number' ], [ 'masked_language_model', 'body' ])
{
    my ($task, $columns) = @$case;
    my $more = qq{"task": "$task", "workers": 2};
    unlike(complaint(training("${task}_helped", $more, $columns)), qr/workers/, "$task: two workers start");
    like(complaint('SET max_parallel_workers = 1; ' . training("${task}_one", $more, $columns)), qr/1 of 2 workers were started/, 'one of them');
    like(complaint('SET max_parallel_workers = 0; ' . training("${task}_alone", $more, $columns)), qr/0 of 2 workers were started/, 'none');
    is(bytes_of("${task}_$_\@1"), bytes_of("${task}_alone\@1"), "the same bits: $_") for qw(helped one);
}
# Nets of layers as well.
my %nets = (
    words => [ q{"layers": [{"embedding": 8}, {"bilstm": 6, "dropout": 0.2}, {"linear": 3}], "workers": 2}, 'body, label' ],
    tags => [ q{"task": "tagging", "layers": [{"embedding": 8}, {"gru": 6}, {"linear": 3}, {"crf": true}], "workers": 2},
        q{string_to_array(body, '' ''), array_fill(label, ARRAY[cardinality(string_to_array(body, '' ''))])} ],
    numbers => [ q{"task": "regression", "layers": [{"embedding": 8}, {"linear": 1}], "workers": 2}, 'body, number' ],
);
for my $net (sort keys %nets)
{
    my ($more, $columns) = @{ $nets{$net} };
    unlike(complaint(net("${net}_helped", $more, $columns)), qr/workers/, "$net: two workers start");
    like(complaint('SET max_parallel_workers = 1; ' . net("${net}_one", $more, $columns)), qr/1 of 2 workers were started/, 'one of them');
    like(complaint('SET max_parallel_workers = 0; ' . net("${net}_alone", $more, $columns)), qr/0 of 2 workers were started/, 'none');
    is(bytes_of("${net}_$_\@1"), bytes_of("${net}_alone\@1"), "the same bits: $_") for qw(helped one);
}
isnt(bytes_of('classification_helped@1'), bytes_of('first@1'), 'parts are added up in another order than rows');
left_behind($segments, 'behind trainings');

# With noise on embeddings, an average and checkpoints, which commit.
my $all = '"epochs": 4, "adversarial": {"kind": "pgd", "steps": 2}, "ema": 0.9, "accumulate": 2, "checkpoint_steps": 5, "workers": 1';
value(training('noisy', $all));
value('SET client_min_messages = error; SET max_parallel_workers = 0; ' . training('noisy', $all));
is(bytes_of('noisy@1'), bytes_of('noisy@2'), 'with noise, an average and checkpoints as well');

# A net whose worker ended goes on behind its checkpoint, without helpers.
my $kept = '"layers": [{"embedding": 8}, {"lstm": 6, "dropout": 0.2}, {"linear": 3}], "adversarial": {"kind": "fgm"}, "workers": 2, "epochs": 300';
{
    my $session = session();
    begin_in($session, net('kept', qq{$kept, "checkpoint_steps": 20}));
    wait_for(q{SELECT to_regclass('"kept@checkpoint"') IS NOT NULL}, 'a net with workers keeps checkpoints');
    my ($helper) = split /\n/, value("SELECT pid $workers");
    value("SELECT pg_terminate_backend($helper)");
    like(end_in($session), qr/55000/, 'it ends with a worker');
    $session->quit;
}
like(complaint('SET max_parallel_workers = 0; ' . net('kept', qq{$kept, "checkpoint_steps": 20, "resume": true})), qr/goes on behind step \d+/, 'and goes on');
value(net('whole', $kept));
is(bytes_of('kept@1'), bytes_of('whole@1'), 'with the bytes of an undisturbed run');

# ---- Refusals ----

is(state_of(training('x', '"workers": 33')), '22023', 'too many');
for my $other ('"lora": {"rank": 2}', '"augment": ["swap"]')
{
    is(state_of(training('x', qq{$other, "workers": 1})), '0A000', "not with $other");
}
is(state_of(training('x', '"task": "similarity", "workers": 1', 'body, other')), '0A000', 'nor for batches that stay whole');
is(state_of(net('x', '"layers": [{"embedding": 8}, {"linear": 3}], "augment": ["swap"], "workers": 1')), '0A000', 'nor of a net with augment');
like(complaint(q{CALL lmtext.train('x', 'SELECT body, label FROM doc', '{"method": "ngram", "workers": 1}')}),
    qr/unknown option "workers".*no batches that processes could share/s, 'a method without batches says so');
is(state_of(q{CALL lmtext.train('x', 'SELECT body, label FROM doc', '{"method": "ngram", "workers": 1}')}), '22023', 'as of an unknown option');

# ---- Ends before its time ----

my $long = training('long', '"epochs": 100000, "workers": 2');

# A session in the middle of a training, and its workers.
sub begun
{
    my $session = session();
    my $pid = begin_in($session, $long);
    wait_for("SELECT count(*) = 2 $workers", 'two workers compute');
    wait_for(q{SELECT step > 0 FROM lmtext.train_runs WHERE model = 'long' ORDER BY run DESC LIMIT 1}, 'steps are done');
    return ($session, $pid, split /\n/, value("SELECT pid $workers"));
}

my ($session, $pid, @helpers) = begun();
value("SELECT pg_cancel_backend($pid)");
like(end_in($session), qr/57014/, 'the training is cancelled');
left_behind($segments, 'behind a cancel');
$session->quit;

($session, $pid, @helpers) = begun();
value("SELECT pg_cancel_backend($helpers[0])");
like(end_in($session), qr/57014/, 'an error of a worker is one of the training');
left_behind($segments, 'behind an error');
$session->quit;

($session, $pid, @helpers) = begun();
value("SELECT pg_terminate_backend($helpers[1])");
like(end_in($session), qr/55000/, 'and so is the end of one');
left_behind($segments, 'behind the end of a worker');
is(say_in($session, q{SELECT lmtext.count_tokens(body, 'tiny') > 0 FROM doc LIMIT 1}), 't', 'the session goes on');
$session->quit;

# In a block that catches it.
my $diverging = training('long', '"epochs": 50, "learning_rate": 100, "optimizer": "sgd", "weight_decay": 10, "workers": 2') =~ s/'/''/gr;
like(complaint(qq{DO \$\$ BEGIN EXECUTE '$diverging'; EXCEPTION WHEN numeric_value_out_of_range THEN RAISE NOTICE 'caught'; END \$\$}),
    qr/caught/, 'a loss that is not finite');
left_behind($segments, 'behind an error that was caught');

($session, $pid, @helpers) = begun();
value("SELECT pg_terminate_backend($pid)");
eval { $session->quit };
left_behind($segments, 'behind the end of the session');

($session, $pid, @helpers) = begun();
crash($helpers[0], 'the server restarts behind the kill of a worker, as behind that of any of its processes');
eval { $session->quit };
expect_restart();
wait_for("SELECT count(*) = 0 $workers", 'no worker is left');
value(training('last', '"workers": 2'));
is(bytes_of('last@1'), bytes_of('classification_helped@1'), 'and it trains again');

done();
