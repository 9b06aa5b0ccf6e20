# 050_hostile.pl - the corpus of test/hostile: every damaged folder is refused with its SQLSTATE and its words,
# every odd one is accepted and serves, and nothing is left: no table, no name, no descriptor, no memory.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Utils;

# Small shared buffers are touched whole by the warm-up, so that they do not count as growth later.
start_node('hostile', conf => "shared_buffers = '4MB'\nlog_statement = none\n");
value('CREATE EXTENSION lmtext');
value(<<'SQL');
-- The files of a folder as large objects, which go with the transaction of a refused import.
CREATE FUNCTION objects(folder text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(f, lo_from_bytea(0, pg_read_binary_file(folder || '/' || f))::bigint)
    FROM pg_ls_dir(folder) f
$$;
SQL

# In CI each second folder, in turn; on other versions of PostgreSQL, which read files alike, each sixth.
sub drawn_folders { return drawn($ENV{LMTEXT_PG} eq '15' ? 2 : 6, @_); }

# ---- The corpus ----

my $corpus = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/corpus';
system('python3', "$ENV{LMTEXT_SOURCE_DIR}/hostile/make.py", "$ENV{LMTEXT_SOURCE_DIR}/models/tiny", $corpus,
    effort('quick', 'all', 'long')) == 0
  or die 'the corpus could not be made';
chmod 0755, $corpus;

my (@refused, @accepted);
for my $line (split /\n/, slurp_file("$corpus/index.tsv"))
{
    my ($number, $room, $name, $state, $said) = split /\t/, $line, -1;
    my $case = {number => $number, room => $room, name => $name, state => $state,
        said => [ split /\x1f/, $said ]};
    push @{$state eq '00000' ? \@accepted : \@refused}, $case;
}
cmp_ok(scalar @refused, '>=', 1000, 'damaged folders');
cmp_ok(scalar @accepted, '>=', 100, 'odd folders');

# ---- One session ----

my $session = session();
my $pid = $session->query('SELECT pg_backend_pid()');

# Folders of the room "quantized" are for int8.
sub options { return $_[0]{room} eq 'quantized' ? q{, '{"precision": "int8"}'} : '' }

sub directory { my ($case) = @_; return "SELECT lmtext.import_model('hostile', '$corpus/$case->{number}'" . options($case) . ')' }

# A statement of its own makes the objects: an import sees what its snapshot does.
sub objects
{
    my ($case) = @_;
    return "BEGIN; SELECT objects('$corpus/$case->{number}') AS files \\gset\n"
      . "SELECT lmtext.import_model('hostile', :'files'::jsonb" . options($case) . '); ROLLBACK';
}

# Run a statement for each case, as many at once as go through the pipe to psql; the error output of each, by its number.
sub errors_of
{
    my ($statement, @cases) = @_;
    my %errors;
    while (my @some = splice @cases, 0, 40)
    {
        my $err = say_in($session, join '', map { "\\warn case $_->{number}\n" . $statement->($_) . ";\n" } @some);
        %errors = (%errors, $err =~ /case (\d+)\n(.*?)(?=case \d+\n|\z)/gs);
    }
    return \%errors;
}

# What is wrong with the answer to a case, or nothing.
sub difference
{
    my ($case, $err) = @_;
    my ($state) = $err =~ /ERROR:  (\w{5}): /;
    $state //= '00000';
    return "$case->{name}: SQLSTATE $state, not $case->{state}: $err" if $state ne $case->{state};
    my @unsaid = grep { index($err, $_) < 0 } @{$case->{said}};
    return @unsaid ? "$case->{name}: does not say @unsaid: $err" : ();
}

sub import_refused
{
    my ($what, $statement, @cases) = @_;
    my $errors = errors_of($statement, @cases);
    my @different = map { difference($_, $errors->{$_->{number}} // 'did not run') } @cases;
    is(join("\n", @different), '', sprintf '%s: %d folders are refused as they should', $what, scalar @cases);
    return;
}

sub memory
{
    my ($field) = @_;
    my ($kb) = slurp_file("/proc/$pid/status") =~ /^$field:\s+(\d+) kB/m;
    return $kb;
}

sub descriptors
{
    opendir(my $dir, "/proc/$pid/fd") or die "/proc/$pid/fd: $!";
    return scalar grep { (readlink("/proc/$pid/fd/$_") // '') =~ m{^\Q$corpus\E|/large} } readdir $dir;
}

sub nothing_left
{
    my ($what) = @_;
    is( value(q{SELECT (SELECT count(*) FROM pg_class WHERE relname ~ '@'), (SELECT count(*) FROM lmtext.model_name),
            (SELECT count(*) FROM lmtext.models), (SELECT count(*) FROM pg_largeobject_metadata)}),
        '0|0|0|0', "$what: no table, name, model or large object is left");
    is(descriptors(), 0, "$what: no descriptor is left");
    safe($what);
    return;
}

# ---- Refused ----

# Rows 1 and 2 of the table of faults: a header that lies about sizes costs no memory. The peak of the
# process (VmHWM) is read after sound imports, whose peak is the loader's own, and again after the files.
my ($sound) = grep { $_->{name} eq 'odd-sound-bert' } @accepted;
my @liars = grep { $_->{name} =~ /^(length|file-of|range|tiling|terabyte-of)-/ } @refused;
cmp_ok(scalar @liars, '>=', 12 + 40, 'headers that lie about sizes');
say_in($session, 'BEGIN; ' . directory($sound) . '; ROLLBACK;') for 1 .. 10;
import_refused('sizes that lie, first time', \&directory, @liars[ 0 .. 9 ]);
my $peak = memory('VmHWM');
import_refused('sizes that lie', \&directory, @liars);
cmp_ok(memory('VmHWM') - $peak, '<=', 1024, 'sizes that lie cost at most 1 MiB of memory');
nothing_left('sizes that lie');

for my $room (qw(headers structure config values shards tokenizer sentence truncation quantized))
{
    import_refused($room, \&directory, drawn_folders(grep { $_->{room} eq $room } @refused));
    nothing_left($room);
}
is(value('SELECT count(*) FROM lmtext.model_cache'), 0, 'nothing was loaded into shared memory');

# The allocator keeps some of what five million values took, and may take another step now and then; what leaks shows in
# every repetition: of the folders that take most, and of many small ones.
my @hungry = grep { $_->{name} =~ /^(values-5000001|tensors-100001|map-100001-tensors|vocab-too-many)$/ } @refused;
my @small = drawn_folders(grep { $_->{room} eq 'config' } @refused);
my $grown;
for my $round (1 .. 6)
{
    my $before = memory('RssAnon');
    import_refused("round $round", \&directory, @hungry, @small);
    $grown = memory('RssAnon') - $before;
    last if $round > 2 && $grown <= 1024;
}
cmp_ok($grown, '<=', 1024, 'imports that fail leave no memory behind');
my ($user, $system) = (split / /, slurp_file("/proc/$pid/stat"))[13, 14];
note(sprintf 'refusals took %.1f s of the backend', ($user + $system) / 100);

# Each tenth again, as large objects: those whose files are all small and in one folder.
sub is_plain
{
    my ($case) = @_;
    my @files = glob "$corpus/$case->{number}/*";
    return !grep { !-f $_ || -s $_ > 1_000_000 } @files;
}
my $n = 0;
my @sample = grep { $n++ % 10 == 0 } grep { is_plain($_) } @refused;
cmp_ok(scalar @sample, '>=', 60, 'folders that are also read as large objects');
import_refused('large objects', \&objects, @sample);
nothing_left('large objects');

# ---- Accepted ----

# Used for what they are for; every number that comes out is one.
my $errors = errors_of(
    sub {
        return 'BEGIN; ' . directory($_[0]) . ' AS version \gset' . "\n"
          . q{DO $$ DECLARE words text := 'The cat sat on a mat, 42 queries'; numbers float8[];
              BEGIN
                CASE (SELECT task FROM lmtext.models WHERE name = 'hostile')
                WHEN 'embedding' THEN numbers := lmtext.embed_document(words, 'hostile');
                WHEN 'classification' THEN numbers := array_agg(score) FROM lmtext.class_scores(words, 'hostile');
                WHEN 'token_classification' THEN numbers := array_agg(score) FROM lmtext.tag(words, 'hostile');
                WHEN 'rerank' THEN numbers := ARRAY[lmtext.rerank('a mat', words, 'hostile')];
                WHEN 'next_sentence' THEN numbers := ARRAY[lmtext.next_sentence('a mat', words, 'hostile')];
                WHEN 'answer' THEN numbers := array_agg(score) FROM lmtext.answer('mat?', words, 'hostile');
                WHEN 'fill_mask' THEN numbers := array_agg(score) FROM lmtext.fill_mask('a [MASK]', 'hostile');
                WHEN 'sparse' THEN numbers := array_agg(value::float8) FROM jsonb_each_text(lmtext.sparse(words, 'hostile'));
                WHEN 'late_interaction' THEN numbers := array_agg(x) FROM unnest(lmtext.token_vectors(words, 'hostile')) x;
                END CASE;
                IF cardinality(numbers) > 0 AND (SELECT bool_and(x BETWEEN -1e30 AND 1e30) FROM unnest(numbers) x) THEN RETURN; END IF;
                RAISE 'not all numbers'; END $$;
              ROLLBACK};
    },
    @accepted);
is(join("\n", map { difference($_, $errors->{$_->{number}} // 'did not run') } @accepted), '',
    sprintf '%d odd folders are accepted and serve', scalar @accepted);
nothing_left('odd folders');

# ---- Values ----

# A weight that is no number is refused at import; one that gets into a table later is found by the digest, and
# no vector comes of it. Each kind of tensor in turn, with a window of its own so that no copy is in memory.
my $tiny_weights = "$tiny/model.safetensors";
my $header = slurp_file($tiny_weights);
my $length = unpack 'Q<', $header;
my %begin = substr($header, 8, $length) =~ /"([^"]+)":\s*\{[^}]*"data_offsets":\s*\[(\d+),/g;
my @names = sort keys %begin;
cmp_ok(scalar @names, '==', 39, 'tensors of the model');
my @poisoned = map { $names[ $_ * @names / 8 ] } 0 .. 7;
my $number = 0;
for my $name (@poisoned)
{
    my $at = 8 + $length + $begin{$name};
    my $folder = variant($tiny, ++$number);
    value(<<"SQL");
SELECT lmtext.import_model('poisoned', '$folder');
UPDATE "poisoned\@1" SET data = overlay(data PLACING '\\x0000c07f' FROM $at + 1)
WHERE file = 'model.safetensors';
SQL
    is(state_of(q{SELECT lmtext.embed('cat', 'poisoned')}), 'XX001', "NaN written into $name: no vector");
    is(state_of(q{SELECT lmtext.embed(ARRAY['a', 'b'], 'poisoned')}), 'XX001', "nor in a batch");
    value(q{SELECT lmtext.drop_model('poisoned'); DELETE FROM lmtext.model_name});
}
is(value('SELECT count(*) FROM lmtext.model_cache WHERE version::text LIKE \'%poisoned%\''), 0,
    'none of them is in shared memory');
safe('poisoned tables');

# ---- Time ----

# An import of a header that is long to read is stopped by a timeout, and by a cancel.
my ($long) = grep { $_->{name} eq 'values-5000001' } @refused;
is(state_of("SET statement_timeout = '20ms'; " . directory($long)),
    '57014', 'a timeout stops the reading of five million values');
nothing_left('a timeout');

$session->quit;
done();
