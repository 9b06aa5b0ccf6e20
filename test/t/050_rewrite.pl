# 050_rewrite.pl - files that are cut, overwritten, replaced and taken away while four sessions import from them and
# four embed by versions that are there: no crash, no half of a file in a version, no other vector.
use strict;
use warnings;

use Lmtext;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Spec;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

my $base = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/rewrite';
my $folder = "$base/model";
my @files = qw(config.json model.safetensors tokenizer.json tokenizer_config.json);
make_path($folder);

# Two models of one shape: any mixture of their whole files is a model.
my %bytes;
for my $file (@files)
{
    $bytes{$file} = [ map { slurp_file("$_/$file") } $tiny, "$tiny-tanh" ];
}

# Put a file in place at once, as a careful downloader does.
sub replace
{
    my ($file, $content) = @_;
    open(my $out, '>:raw', "$base/new") or die $!;
    print $out $content;
    close $out or die $!;
    rename "$base/new", "$folder/$file" or die $!;
    return;
}

sub sound { my ($file) = @_; return replace($file, $bytes{$file}[ int rand 2 ]) }

# In place: readers see any mixture of before and after.
sub overwrite
{
    my ($file) = @_;
    open(my $out, '+<:raw', "$folder/$file") or return;
    syswrite $out, "\xff" x -s $out;
    close $out or die $!;
    return;
}

# Where to cut a file. Without its last byte alone, a line's end, it would still be whole.
sub cut { my ($file) = @_; return int rand length($bytes{$file}[0]) - 1 }

my @damages = (
    sub { truncate "$folder/$_[0]", 0 },
    sub { truncate "$folder/$_[0]", cut($_[0]) },
    sub { truncate "$folder/$_[0]", 1 << 20 },
    sub { unlink "$folder/$_[0]" },
    sub { replace($_[0], substr $bytes{$_[0]}[0], 0, cut($_[0])) },
    \&overwrite);

srand 7;
sound($_) for @files;

start_node('rewrite', conf => "max_connections = 30\n");
value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('still', '$tiny');
CREATE TABLE outcome (worker int, state text);
CREATE TABLE stop ();
CREATE TABLE truth AS SELECT 'text ' || n AS body, lmtext.embed('text ' || n, 'still') AS vector
FROM generate_series(1, 20) n;

-- Import until told to stop; a version that is accepted must embed, and stays for the end.
CREATE PROCEDURE import_on(worker int) LANGUAGE plpgsql AS \$\$
DECLARE state text;
BEGIN
    WHILE to_regclass('stop') IS NOT NULL LOOP
        BEGIN
            state := '';
            PERFORM lmtext.import_model('w' || worker, '$folder');
        EXCEPTION WHEN others THEN
            state := SQLSTATE;
        END;
        INSERT INTO outcome VALUES (worker, state);
        COMMIT;
    END LOOP;
END \$\$;

-- The same vectors, by a version that nobody touches, and by the newest of those that come.
CREATE PROCEDURE embed_on(worker int) LANGUAGE plpgsql AS \$\$
DECLARE
    newest regclass;
    state text;
BEGIN
    WHILE to_regclass('stop') IS NOT NULL LOOP
        IF EXISTS (SELECT FROM truth WHERE lmtext.embed(body, 'still') <> vector) THEN
            RAISE EXCEPTION 'another vector';
        END IF;
        SELECT model INTO newest FROM lmtext.models WHERE name = 'w' || worker - 4 ORDER BY version DESC LIMIT 1;
        IF newest IS NOT NULL AND EXISTS (SELECT FROM unnest(lmtext.embed('text', newest)) x WHERE x = 'NaN') THEN
            RAISE EXCEPTION 'no number';
        END IF;
        INSERT INTO outcome VALUES (worker, '');
        COMMIT;
    END LOOP;
END \$\$;
SQL

my @sessions = map { session() } 1 .. 8;
begin_in($sessions[ $_ - 1 ], $_ <= 4 ? "CALL import_on($_);" : "CALL embed_on($_);") for 1 .. 8;

my $rounds = effort(300, 1500, 10_000);
for my $round (1 .. $rounds)
{
    my $file = $files[ rand @files ];
    $damages[ rand @damages ]->($file);
    usleep(rand 20_000);
    sound($file);
    usleep(rand 40_000);
}
# Whatever the machine's load, there is something to judge.
wait_for(q{SELECT count(*) >= 20 FROM outcome WHERE worker <= 4 AND state = ''}, 'imports that succeeded');
value('DROP TABLE stop');
my @said = map { end_in($_) } @sessions;
is(join('', grep { /ERROR|FATAL|terminat/ } @said), '', "$rounds rounds: no session failed");
$_->quit for @sessions;
safe('rewritten files');

note(value(q{SELECT string_agg(format('%s: %s', kind, n), ', ' ORDER BY kind) FROM (
    SELECT CASE WHEN worker > 4 THEN 'embedded' WHEN state = '' THEN 'imported' ELSE state END AS kind, count(*) AS n
    FROM outcome GROUP BY 1) t}));
is(value(q{SELECT string_agg(DISTINCT state, ' ') FROM outcome
    WHERE state NOT IN ('', '22P02', '22P03', '58030', '58P01')}), '', 'refusals are of the kinds that they should be');
cmp_ok(value(q{SELECT count(*) FROM outcome WHERE state <> ''}), '>', 0, 'some were refused');
is(value(q{SELECT count(*) FROM outcome WHERE state = '' AND worker <= 4}),
    value(q{SELECT count(*) FROM lmtext.models WHERE name ~ '^w'}), 'each import made one version');

# Every file of every version is one of the whole ones.
my $sound = join ', ', map { my $f = $_; map { "('$f', '" . unpack('H*', $_) . "')" } @{$bytes{$f}} } @files;
value("CREATE TABLE sound AS SELECT name, encode(sha256(decode(hex, 'hex')), 'hex') AS sha256
    FROM (VALUES $sound) v (name, hex)");
my $parts = value(q{SELECT string_agg(format('SELECT data FROM %s WHERE file = ''manifest.json''', model), ' UNION ALL ')
    FROM lmtext.models WHERE name ~ '^w'});
is(value("SELECT count(*), count(*) FILTER (WHERE s.name IS NULL) FROM ($parts) m,
        jsonb_array_elements(convert_from(m.data, 'UTF8')::jsonb->'files') f
        LEFT JOIN sound s ON s.name = f->>'name' AND s.sha256 = f->>'sha256'") =~ s/^\d+\|//r, 0,
    'every file of every version is whole');
is(value(q{SELECT count(*) FROM lmtext.models, unnest(lmtext.embed('text', model)) x
    WHERE name ~ '^w' AND (x = 'NaN' OR abs(x) > 1000)}), 0, 'every version loads and embeds');
done();
