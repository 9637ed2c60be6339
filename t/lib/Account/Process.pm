# A process that lives no longer than the one that started it (through t/lib/supervise), and the small
# things all parts of the test library need: temporary directories, ports, files, waiting.
package Account::Process;
use strict;
use warnings;
use Cwd 'abs_path';
use Exporter 'import';
use File::Basename 'dirname';
use File::Path qw(make_path remove_tree);
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw($ROOT temp_dir free_port slurp spew wait_until drop_root);
$ENV{PATH} .= ':/usr/sbin:/sbin';                        # httpd, mariadbd
our $ROOT = abs_path(dirname(__FILE__) . '/../../..');    # of the source tree

my %living;       # supervisor's process id => its pipe
my $temporary;    # this process's directory, if any
my $owner = $$;

# httpd and mariadbd refuse to run as root or should not: who starts a test as root becomes nobody.
sub drop_root {
    return if $>;
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    if (my $tmp = $ENV{ACCOUNT_TMP}) {
        make_path($tmp);
        chown $uid, $gid, $tmp if !(stat $tmp)[4];
    }
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    $> or die "still root\n";
    $ENV{HOME} = '/nonexistent';
}

# Where the parts of one run of the suite are shared, else this process's own directory.
sub run_dir {
    my $tmp = $ENV{ACCOUNT_TMP} or return $temporary //= File::Temp::tempdir('/tmp/account.XXXXXX');
    make_path($tmp);
    return $tmp;
}

# A new directory, gone when this process ends. Short: a socket's path has at most 107 characters.
sub temp_dir {
    my ($name) = @_;
    $temporary //= $ENV{ACCOUNT_TMP} ? File::Temp::tempdir(run_dir() . '/XXXXXX') : run_dir();
    return File::Temp::tempdir("$temporary/$name.XXXX");
}

# Below the range the kernel takes ports of outgoing connections from, so a restarted server can have it again.
sub free_port {
    for (1 .. 200) {
        my $port = 12000 + int rand 20000;
        my $try = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1) or next;
        return $port;
    }
    die "no free port\n";
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/;
    return scalar(<$in>) // '';
}

sub spew {
    my ($file, $text, $mode) = @_;
    make_path(dirname($file));
    utf8::encode($text) if utf8::is_utf8($text);
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text or die "$file: $!\n";
    close $out or die "$file: $!\n";
    chmod $mode, $file if defined $mode;
    return $file;
}

# True as soon as the condition is; false after so many seconds.
sub wait_until {
    my ($seconds, $condition) = @_;
    my $until = time + $seconds;
    until ($condition->()) {
        return 0 if time > $until;
        sleep 0.02;
    }
    return 1;
}

# spawn(command => [...], output => FILE, [limit => seconds, env => {...}])
sub spawn {
    my ($class, %opt) = @_;
    my $pid_file = "$opt{output}.pid";
    unlink $pid_file;
    local %ENV = (%ENV, %{ $opt{env} || {} });
    my $supervisor = open my $pipe, '|-', $^X, "$ROOT/t/lib/supervise", '--output', $opt{output}, '--pid', $pid_file,
        ($opt{limit} ? ('--limit', $opt{limit}) : ()), @{ $opt{command} };
    $supervisor or die "fork: $!\n";
    $living{$supervisor} = $pipe;
    my $self = bless { supervisor => $supervisor, output => $opt{output} }, $class;
    wait_until(10, sub { -s $pid_file }) or die "@{$opt{command}} did not start: " . slurp($opt{output});
    ($self->{pid}) = slurp($pid_file) =~ /(\d+)/;
    return $self;
}

sub pid { $_[0]{pid} }

sub running {
    my ($self) = @_;
    return 0 if defined $self->{status};
    return 1 if waitpid($self->{supervisor}, POSIX::WNOHANG()) == 0;
    $self->{status} = $?;
    close delete $living{ $self->{supervisor} };
    return 0;
}

# Waits for its end; undef when it takes longer, else the exit status (128 + signal if killed).
sub wait_for {
    my ($self, $seconds) = @_;
    wait_until($seconds, sub { !$self->running }) or return undef;
    return $self->{status} >> 8;
}

sub signal {
    my ($self, $signal) = @_;
    return $self->running && kill $signal, $self->{pid};
}

# Ends it now: closing the pipe tells the supervisor, and waits for it.
sub end {
    my ($self) = @_;
    return if !$self->running;
    close delete $living{ $self->{supervisor} };
    $self->{status} = $?;
}

# A forked child must not keep its parent's servers alive.
sub forget {
    POSIX::close(fileno $_) for values %living;
    $owner = 0;
}

END {
    if ($owner == $$) {
        local ($?, $!);
        close $_ for values %living;
        %living = ();
        remove_tree($temporary) if defined $temporary && !$ENV{ACCOUNT_KEEP};
    }
}

1;
