# 050_paths.pl - where an import may read, as a matrix: kinds of paths and of files, by four roles. Nothing hangs
# and nothing outside is opened. 020_models.pl has the cases that are more than one statement.
use strict;
use warnings;

use Lmtext;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Spec;
use PostgreSQL::Test::Utils;

my $base = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/paths';
my @files = qw(config.json model.safetensors tokenizer.json tokenizer_config.json);
my $open = "$base/open";

# A FIFO that is opened for reading would wait for a writer for ever.
alarm 600;

sub folder
{
    my ($path) = @_;
    make_path($path);
    copy("$tiny/$_", "$path/$_") or die "copy $_: $!" for @files;
    return $path;
}

# A folder below the model directory in which one file is something else.
sub folder_with
{
    my ($name, $file, $make) = @_;
    my $path = folder("$open/$name");
    unlink "$path/$file" or die "unlink $path/$file: $!";
    $make->("$path/$file") or die "$path/$file: $!";
    return $path;
}

sub fifo { return system('mkfifo', $_[0]) == 0 }

sub link_to
{
    my ($target) = @_;
    return sub { return symlink($target, $_[0]) };
}

# ---- Folders ----

folder("$base/outside");
folder("$open/inside");
folder("$open/deep/er/model");
folder("$base/opening");
symlink('inside', "$open/alias") or die $!;
symlink('../outside', "$open/escape") or die $!;
symlink('deep/er', "$open/parent-inside") or die $!;
symlink('..', "$open/parent-outside") or die $!;
symlink('loop', "$open/loop") or die $!;
symlink('nowhere', "$open/dangling") or die $!;
fifo("$open/fifo") or die $!;
folder("$open/closed");
chmod 0, "$open/closed";
folder_with('fifo-config', 'config.json', \&fifo);
folder_with('fifo-weights', 'model.safetensors', \&fifo);
folder_with('zero-config', 'config.json', link_to('/dev/zero'));
folder_with('zero-weights', 'model.safetensors', link_to('/dev/zero'));
folder_with('mem-config', 'config.json', link_to('/proc/self/mem'));
folder_with('mem-weights', 'model.safetensors', link_to('/proc/self/mem'));
folder_with('directory-config', 'config.json', sub { return mkdir $_[0] });
folder_with('directory-tokenizer', 'tokenizer.json', sub { return mkdir $_[0] });
folder_with('hardlink', 'model.safetensors', sub { return link("$base/outside/model.safetensors", $_[0]) });
folder_with('link-inside', 'config.json', link_to('../inside/config.json'));
folder_with('link-outside', 'config.json', link_to('../../outside/config.json'));
folder_with('link-absolute', 'config.json', link_to("$base/outside/config.json"));
folder_with('link-absolute-inside', 'config.json', link_to("$open/inside/config.json"));
folder_with('link-dangling', 'config.json', link_to('nowhere'));
folder_with('link-loop', 'config.json', link_to('config.json'));
folder_with('closed-config', 'config.json',
    sub { return copy("$tiny/config.json", $_[0]) && chmod(0, $_[0]) });

# ---- Roles ----

start_node('paths', conf => "lmtext.model_directory = '$open'\n");
value(<<'SQL');
CREATE EXTENSION lmtext;
CREATE ROLE reader LOGIN; GRANT pg_read_server_files TO reader;
CREATE ROLE granted LOGIN;
CREATE ROLE plain LOGIN;
GRANT CREATE ON SCHEMA public TO reader, granted, plain;
GRANT EXECUTE ON FUNCTION lmtext.import_model(text, text, jsonb) TO reader, granted;
SQL
my @roles = ('postgres', 'reader', 'granted', 'plain');

# ---- The matrix ----

# Expected of who may read any file (a superuser and a member of pg_read_server_files), and of who may import from
# below lmtext.model_directory alone. Who may not call import_model is refused whatever the path.
my @matrix = (
    # source, any file, below the directory
    [ "$open/inside", '', '' ],
    [ 'inside', '', '' ],
    [ './inside', '', '' ],
    [ "$open/deep/er/model", '', '' ],
    [ 'deep/er/model', '', '' ],
    [ "$open//inside/", '', '' ],
    # A name without a slash before it means the folder of that name in the directory.
    [ $open, '58P01', '58P01' ],
    [ '.', '58P01', '58P01' ],
    [ '', '58P01', '58P01' ],
    [ "$base/outside", '', '42501' ],
    [ "$base/opening", '', '42501' ],
    [ '../outside', '42602', '42501' ],
    [ 'inside/../../outside', '42602', '42501' ],
    [ "$open/../outside", '', '42501' ],
    [ "$open/inside/../inside", '', '' ],
    [ "$open/alias", '', '' ],
    [ "$open/escape", '', '42501' ],
    [ "$open/parent-inside/model", '', '' ],
    [ "$open/parent-outside/outside", '', '42501' ],
    [ "$open/parent-outside/open/inside", '', '42501' ],
    [ "$open/loop", '42501', '42501' ],
    [ "$open/dangling", '58P01', '58P01' ],
    [ "$open/nowhere", '58P01', '58P01' ],
    [ "$base/nowhere", '58P01', '42501' ],
    [ "$open/closed", '42501', '42501' ],
    [ "$open/inside/config.json", '58P01', '58P01' ],
    [ "$open/fifo", '58P01', '58P01' ],
    [ '/dev/zero', '58P01', '42501' ],
    [ '/proc/self/mem', '58P01', '42501' ],
    [ '/proc/self/cwd', '58P01', '42501' ],
    [ '/etc/passwd', '58P01', '42501' ],
    [ '~postgres', '58P01', '58P01' ],
    [ '/' . 'x' x 100_000, '58P01', '42501' ],
    [ "$open/" . 'x' x 100_000, '58P01', '42501' ],
    [ 'x' x 100_000, '42602', '42501' ],
    [ 'x' x 300, '42501', '42501' ],
    [ '/a' x 50_000, '58P01', '42501' ],
    [ "$open/" . '../' x 30_000, '58P01', '42501' ],
    [ "$open/fifo-config", '42501', '42501' ],
    [ "$open/fifo-weights", '42501', '42501' ],
    [ "$open/zero-config", '42501', '42501' ],
    [ "$open/zero-weights", '42501', '42501' ],
    # A regular file of no bytes: nothing of it is read.
    [ "$open/mem-config", '22P02', '42501' ],
    [ "$open/mem-weights", '22P03', '42501' ],
    [ "$open/directory-config", '42501', '42501' ],
    [ "$open/directory-tokenizer", '42501', '42501' ],
    [ "$open/hardlink", '', '' ],
    [ "$open/link-inside", '', '' ],
    [ "$open/link-outside", '', '42501' ],
    [ "$open/link-absolute", '', '42501' ],
    [ "$open/link-absolute-inside", '', '42501' ],
    [ "$open/link-dangling", '58P01', '58P01' ],
    [ "$open/link-loop", '42501', '42501' ],
    [ "$open/closed-config", '42501', '42501' ],
);

for my $role (@roles)
{
    my @different;
    my $session = session();
    say_in($session, "SET SESSION AUTHORIZATION $role;");
    for my $row (@matrix)
    {
        my ($source, $any, $below) = @$row;
        my $wanted = $role eq 'plain' ? '42501' : $role eq 'granted' ? $below : $any;
        my $said = say_in($session, "BEGIN; SELECT lmtext.import_model('m', '$source'); ROLLBACK;");
        my ($state) = $said =~ /ERROR:  (\w{5}): /;
        push @different, sprintf('%.80s: %s, not %s', $source, $state // '', $wanted)
          if ($state // '') ne $wanted;
    }
    is(join("\n", @different), '', sprintf '%s: %d paths', $role, scalar @matrix);
    $session->quit;
    safe($role);
}
is(value(q{SELECT count(*) FROM pg_class WHERE relname ~ '@'}), 0, 'nothing is left');

# Without a directory that is open to all, a plain role reads nothing, by whatever path.
value('ALTER SYSTEM SET lmtext.model_directory = \'\'');
value('SELECT pg_reload_conf()');
wait_for(q{SELECT current_setting('lmtext.model_directory') = ''}, 'no directory is open');
for my $source ("$open/inside", 'inside', '', '.', '/', '..')
{
    is(state_of("SET SESSION AUTHORIZATION granted; SELECT lmtext.import_model('m', '$source')"), '42501',
        "\"$source\" without an open directory");
}
chmod 0700, "$open/closed";
done();
