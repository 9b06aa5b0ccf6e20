# Surface.pm - every routine and relation of the extension as the catalog has them, and calls of them.
package Surface;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(routines relations sensible call_of $marker);

# Stands in every text of a user; made by an expression so that no statement holds it.
our $marker = 'Zq9' . 'confidential' . 'Zq9';

# Hashes of signature, name, kind (f, p, a), set, types, names, in the order of their signatures.
sub routines
{
    my ($ask) = @_;
    my @lines = split /\n/, $ask->(q{
        SELECT concat_ws('|', p.oid::regprocedure, p.proname, p.prokind, p.proretset,
            (SELECT string_agg(format_type(t, NULL), ',' ORDER BY o) FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o)),
            (SELECT string_agg(coalesce(p.proargnames[o], ''), ',' ORDER BY o)
             FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o)))
        FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
            JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
        WHERE e.extname = 'lmtext' ORDER BY p.oid::regprocedure::text COLLATE "C"});
    return map {
        my ($signature, $name, $kind, $set, $types, $names) = split /\|/;
        {
            signature => $signature, name => $name, kind => $kind, set => $set eq 't',
            types => [ split /,/, $types // '' ], names => [ split /,/, $names // '', -1 ]
        }
    } @lines;
}

# Tables and views, as "kind|name".
sub relations
{
    my ($ask) = @_;
    return split /\n/, $ask->(q{
        SELECT concat_ws('|', c.relkind, c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = 'lmtext'::regnamespace AND c.relkind IN ('r', 'v')
        ORDER BY c.oid::regclass::text COLLATE "C"});
}

# An argument that makes sense: by routine and name, by name, by type. g is a row of texts: t, ts.
my %by_routine = (
    'classify model' => 'head', 'classify_scored model' => 'head', 'class_scores model' => 'head', 'labels model' => 'head', 'tag model' => 'ner', 'entities model' => 'ner',
    'fill_mask model' => 'masks', 'fill_mask text' => q{g.t || ' [MASK]'}, 'fill_mask texts' => q{ARRAY[g.t || ' [MASK]']}, 'drop_model model' => 'spare',
    (map { ("$_ vector" => '{' . join(',', (0.25) x 36) . '}') } qw(classify classify_scored class_scores labels)), # as wide as m's
    'rerank model' => 'cross', 'entails model' => 'nli', 'zero_shot model' => 'nli', 'next_sentence model' => 'next', 'answer model' => 'qa',
    'zero_shot labels' => '{a,b}', 'zero_shot template' => '{}', 'answer question' => 'cat?', # the window is 24 tokens
    'log_probability model' => 'counts', 'explain model' => 'head', 'explain method' => 'integrated_gradients', 'explain baseline' => 'zero',
    (map { ("$_ model" => 'splade', "$_ role" => 'query') } qw(sparse sparse_vector sparse_similarity)),
    'log_probability model' => 'counts', 'token_vectors model' => 'late', 'token_vectors role' => 'document', 'maxsim model' => 'late',
    'maxsim query' => 'g.t', 'maxsim vectors' => '{{1,0,0,0,0,0,0,0,0}}', 'maxsim document' => 'g.t', # as wide as late's
    'train query' => 'SELECT body, label FROM doc', 'train name' => 'fresh',
    'train options' => '{"base": "m", "hold_out": 0}',
    'tune query' => 'SELECT body, label FROM doc', 'tune name' => 'fresh', 'tune space' => '{"base": "m", "hold_out": 0.5, "l2": [0.1, 1]}', 'tune trials' => 1,
    (map { ("$_ query" => 'SELECT label, label FROM doc', "$_ vocabulary" => '{a,b}') } qw(one_hot texts_to_sequences)),
    'distill new' => 'fresh', 'distill model' => 'head', 'distill query' => 'SELECT body FROM doc', 'compress new' => 'fresh',
    (map { ("$_ new" => 'fresh', "$_ model" => 'head', "$_ query" => 'SELECT body, label FROM doc') } qw(prune harden)),
    'open_rounds log' => 'doc', 'prune options' => '{"share": 0.5}', (map { ("$_ options" => '{"target": {"accuracy": 1}}') } qw(harden harden_options)),
    'pad_sequences padding' => 'pre', 'pad_sequences truncating' => 'post', 'tag_words model' => 'ner', 'fit_report model' => 'head',
    (map { ("$_ name" => 'nightly') } qw(run_job drop_job pause_job resume_job retry_errors stale job_plan attach detach switch_job)),
    'map_vectors query' => 'SELECT body FROM doc', 'map_vectors name' => 'fresh', 'mapped map' => 'fresh', 'create_alert query' => 'SELECT 1 AS n', 'create_alert condition' => 'n > 0', 'run_job workers' => 0,
    'classification_report query' => 'SELECT label, label FROM doc',
    (map { ("$_ query" => 'SELECT label, label FROM doc') } qw(tfidf bag_of_words)),
    'build_vocabulary query' => 'SELECT label FROM doc', 'build_vocabulary specials' => '{a}',
    'augment ops' => '{swap,delete}', 'augment text' => 'g.t', 'augment options' => '{}', 'bootstrap query' => 'SELECT label, label FROM doc', 'bootstrap metric' => 'f1',
    'compare query' => 'SELECT label, label, label FROM doc', 'evaluate query' => 'SELECT body, label FROM doc', 'evaluate queries' => '{"SELECT body, label FROM doc"}',
    (map { ("$_ model" => 'head') } qw(evaluate drift label_queue attack)), 'attack query' => 'SELECT body, label FROM doc', 'attack options' => '{}', (map { ("drift $_" => 'SELECT body FROM doc') } qw(baseline current)),
    (map { ("$_ query" => 'SELECT ARRAY[label], ARRAY[label] FROM doc') } qw(entity_report token_report)), 'entity_report scheme' => 'IOB2',
    (map { ("$_ query" => 'SELECT label, body FROM doc') } qw(cluster cluster_keywords project label_queue)), 'project how' => 'pca',
    'label_queue strategy' => 'margin', 'label_queue query' => 'SELECT label, body FROM doc', 'rouge variant' => 'rougeL', 'sentence_rouge variant' => 'rougeL',
    (map { ("$_ tokenizer" => '13a', "$_ smooth" => 'exp') } qw(bleu sentence_bleu)), (map { ("$_ tokenizer" => 'ascii') } qw(rouge sentence_rouge)),
    (map { ("$_ relation" => 'doc', "$_ column" => 'body') } qw(near_duplicates create_chunks)),
    (map { ("join relation_$_" => 'doc', "join column_$_" => 'body', "join key_$_" => 'body') } qw(a b)), 'near_duplicates key' => 'body', 'create_chunks column_name' => 'body',
    (map { ("$_ relation" => 'doc', "$_ column_name" => 'body', "$_ mode" => 'exact', "$_ filter" => 'label IS NOT NULL', "$_ key_columns" => '{body}', "$_ words_by" => 'bm25',
        "$_ min_score" => 0, "$_ config" => 'english') } qw(search explain_search calibrate_search)),
    'cohen_kappa weights' => 'linear',
    'confusion_matrix query' => 'SELECT label, label FROM doc', 'f1 average' => 'macro');
my %by_name = (
    model => 'm', from_model => 'm', to_model => 'm', on_long => 'truncate', name => 'm', version => 1, options => '{}',
    role => 'r_plain', privilege => 'use', max_tokens => 8, overlap => 1, average => 'weighted',
    label => 'a', aggregation => 'simple', layer => -1, ids => '{1,2}', precision => 'bf16');
my %by_type = (
    text => 'g.t', 'text[]' => 'g.ts', integer => 1, boolean => 'true', 'real[]' => '{1,2}', jsonb => '{}',
    'integer[]' => '{1,2}', 'bigint[]' => '{1,2}', bytea => '\x00', anycompatible => 'g.t',
    'double precision' => 1, bigint => 1, regrole => 'r_plain', 'name' => 'm');

sub sensible
{
    my ($routine, $i) = @_;
    my ($type, $name) = ($routine->{types}[$i], $routine->{names}[$i] // '');
    return "NULL" if $type eq 'internal' || $name =~ /^(prompt|prompt_name|dimensions|calibration|given)$/;
    return "NULL" if $name eq 'label' && $routine->{name} eq 'explain';
    return "'binary'" if $name eq 'average' && $routine->{signature} =~ /^lmtext\.f1\(\w+,\w+,\w+,\w+/;
    return "'{{1,2}}'::real[]" if $type eq 'real[]' && $routine->{signature} eq 'lmtext.maxsim(real[],real[])';
    my $value = $by_routine{"$routine->{name} $name"};
    $value //= $by_name{$name} unless $routine->{name} =~ /_(accum|deserialize)$/;
    $value //= $by_type{$type} // 'NULL';
    return $value if $value =~ /^g\.|^ARRAY\[|^NULL$/;
    $value = qq{"$value\@1"} if $type eq 'regclass' && $value ne 'doc';
    return "'$value'::$type";
}

# A statement that calls a routine: from = 1 as a function in FROM, else in the target list.
sub call_of
{
    my ($routine, $arguments, $from) = @_;
    my ($name) = $routine->{signature} =~ /^([^(]*)/;
    my $call = "$name(" . join(', ', @$arguments) . ')';
    return "CALL $call" if $routine->{kind} eq 'p';
    return "SELECT $call FROM given g" unless $from && $routine->{kind} eq 'f';
    return "SELECT * FROM given g, LATERAL $call";
}

1;
