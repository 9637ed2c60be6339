# A private mariadbd that may be killed, frozen and started again.
package Account::MariaDB;
use strict;
use warnings;
use Account::Process qw(temp_dir free_port slurp spew wait_until);
use Carp 'croak';
use Fcntl ':flock';
use IO::Select;
use IO::Socket::UNIX;

# In the servers' configurations, never in a log.
use constant PASSWORD => 'mariadb-PassWord-5b1c9';

my $shared;
my $databases = 0;

# The server that this run of the suite shares, else one for this test. Not for killing.
sub shared {
    my ($class) = @_;
    return $shared //= $class->new->start if !$ENV{ACCOUNT_MYSQL_SOCK};
    return $shared //= bless { socket => $ENV{ACCOUNT_MYSQL_SOCK}, port => $ENV{ACCOUNT_MYSQL_PORT} }, $class;
}

# Makes this server the shared one of the processes started from here.
sub share {
    my ($self) = @_;
    @ENV{qw(ACCOUNT_MYSQL_SOCK ACCOUNT_MYSQL_PORT)} = @$self{qw(socket port)};
    return $self;
}

# mariadb-install-db takes seconds: once in a run, then copies.
sub template {
    my $dir = Account::Process::run_dir() . '/mariadb-template';
    open my $lock, '>', "$dir.lock" or croak "$dir.lock: $!";
    flock $lock, LOCK_EX;
    return $dir if -d $dir;
    mkdir "$dir.new";
    my $run = Account::Process->spawn(output => "$dir.log", limit => 120, command => [
        'mariadb-install-db', '--no-defaults', "--datadir=$dir.new", '--auth-root-authentication-method=normal',
        '--skip-test-db', '--skip-name-resolve', '--force', '--innodb-log-file-size=4M', '--innodb-use-native-aio=0' ]);
    $run->wait_for(130) == 0 or croak 'mariadb-install-db failed: ' . slurp("$dir.log");
    rename "$dir.new", $dir;
    return $dir;
}

# options => ['--max-connections=5', ...] for mariadbd
sub new {
    my ($class, %opt) = @_;
    my $dir = temp_dir('mariadb');
    system('cp', '-a', template(), "$dir/data") == 0 or croak 'no copy of the data directory';
    mkdir "$dir/tmp";
    spew("$dir/init.sql", join '', map {
        "CREATE USER IF NOT EXISTS account\@'$_' IDENTIFIED BY '" . PASSWORD . "';\n"
        . "GRANT ALL ON `account%`.* TO account\@'$_';\n" } qw(localhost 127.0.0.1));
    return bless { dir => $dir, socket => "$dir/sock", port => free_port(), options => $opt{options} || [] }, $class;
}

sub start {
    my ($self) = @_;
    my $dir = $self->{dir};
    $self->{process} = Account::Process->spawn(output => "$dir/log", command => [
        'mariadbd', '--no-defaults', "--datadir=$dir/data", "--tmpdir=$dir/tmp", "--socket=$self->{socket}",
        '--bind-address=127.0.0.1', "--port=$self->{port}", "--init-file=$dir/init.sql", '--skip-name-resolve',
        '--skip-log-bin', '--performance-schema=OFF', '--innodb-flush-log-at-trx-commit=1',
        '--innodb-buffer-pool-size=32M', '--innodb-log-file-size=4M', '--innodb-use-native-aio=0',
        '--key-buffer-size=1M', '--aria-pagecache-buffer-size=1M', '--max-connections=300', @{ $self->{options} } ]);
    wait_until(60, sub { !$self->running || $self->answers }) && $self->running
        or croak 'mariadbd did not start: ' . slurp("$dir/log");
    return $self;
}

sub running { my ($self) = @_; return $self->{process} && $self->{process}->running }
sub pid     { $_[0]{process}->pid }

# A server that accepts greets; one that still starts, or is frozen, says nothing.
sub answers {
    my ($self) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or return 0;
    my $greeting = '';
    IO::Select->new($socket)->can_read(1) && sysread $socket, $greeting, 5;
    return length $greeting == 5 && ord(substr $greeting, 4) != 255;    # 255: an error
}

sub kill9   { my ($self) = @_; $self->{process}->signal('KILL'); $self->{process}->wait_for(10); return $self }
# Returns when it has really stopped: its threads do so one after the other, and one that has not yet answers.
sub sigstop {
    my ($self) = @_;
    $self->{process}->signal('STOP');
    wait_until(10, sub { !grep { slurp($_) !~ /\) T / } glob '/proc/' . $self->pid . '/task/*/stat' }) or croak 'MariaDB does not stop';
    return $self;
}
sub sigcont { my ($self) = @_; $self->{process}->signal('CONT'); return $self }

sub stop {
    my ($self) = @_;
    $self->{process}->signal('TERM');
    defined $self->{process}->wait_for(30) or croak 'mariadbd did not stop';
    return $self;
}

# For AccountDatabase: by 'sock' or by 'tcp'.
sub params {
    my ($self, $dbname, $by) = @_;
    my $where = ($by // 'sock') eq 'sock' ? "sock=$self->{socket}" : "host=127.0.0.1 port=$self->{port}";
    return "$where user=account pass=" . PASSWORD . " dbname=$dbname";
}

# As the superuser. Rows of tab-separated columns: a list, or one text.
sub sql {
    my ($self, $query, $dbname) = @_;
    utf8::encode($query) if utf8::is_utf8($query);
    my @command = ('timeout', 30, 'mariadb', '--no-defaults', '--batch', '--skip-column-names', '--user=root',
        "--socket=$self->{socket}", '--default-character-set=utf8mb4', '-e', $query, $dbname // ());
    open my $out, '-|', @command or croak "mariadb: $!";
    my @rows = <$out>;
    close $out or croak "mariadb refused: $query";
    chomp @rows;
    utf8::decode($_) for @rows;
    return wantarray ? @rows : join "\n", @rows;
}

# A new empty database, of the server's default character set (latin1: what an old server has).
sub fresh_database {
    my ($self) = @_;
    my $name = sprintf 'account_%d_%d', $$, ++$databases;
    $self->sql("CREATE DATABASE $name");
    return $name;
}

1;
