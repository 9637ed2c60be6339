# A private httpd: generated configuration, own directory, own port, gone with the test.
package Account::Server;
use strict;
use warnings;
use Account::Client;
use Account::MariaDB;
use Account::Process qw($ROOT temp_dir free_port slurp spew wait_until);
use Carp 'croak';
use MIME::Base64 'encode_base64';

our @all;    # servers of this process, for the checks at the end of a test

my @MODULES = qw(authz_core authz_host authn_core authz_user dir mime alias log_config unixd headers env setenvif
    rewrite status log_forensic socache_shmcb watchdog);

my %MPM = (
    event => "StartServers 2\nServerLimit 4\nThreadsPerChild 16\nMinSpareThreads 16\nMaxSpareThreads 64\n"
        . "MaxRequestWorkers 64\n",
    prefork => "StartServers 4\nMinSpareServers 4\nMaxSpareServers 8\nMaxRequestWorkers 32\n",
);

# The httpd under test: from $ENV{ACCOUNT_HTTPD}, else what apxs knows.
my %apxs;
sub apxs {
    my ($what) = @_;
    my $apxs = $ENV{ACCOUNT_APXS} || 'apxs';
    return $apxs{$what} //= do { chomp(my $answer = `$apxs -q $what`); $answer };
}
sub httpd { return $ENV{ACCOUNT_HTTPD} || apxs('sbindir') . '/' . apxs('progname') }

my $static;
sub compiled_in {
    my ($name) = @_;
    $static //= do { my $httpd = httpd(); `$httpd -l` };
    return $static =~ /^\s*mod_\Q$name\E\.c$/m;
}

sub load_module {
    my ($name) = @_;
    return '' if compiled_in($name);
    return "LoadModule ${name}_module " . apxs('LIBEXECDIR') . "/mod_$name.so\n";
}

# All optional:
#   mpm      event | prefork             ($ENV{ACCOUNT_MPM}, else event)
#   db       sqlite3 | mysql | none      ($ENV{ACCOUNT_DB}, else sqlite3); none: no AccountDatabase line
#   mariadb  an Account::MariaDB of the test's own instead of the shared one; dbname: an existing database
#   mounts   server configuration instead of "AccountMount /user mmall"
#   conf     more server configuration, at the end; vhost: text (or list of texts), each in a <VirtualHost>
#   files    {'htdocs/x/.htaccess' => text, ...} below the server's directory
#   modules  [more httpd modules: 'proxy', 'proxy_http', ...]
#   account  0: a plain httpd without mod_account; contracts: 0: without conf/contracts
#   hash     argument of AccountPasswordHash; loglevel: instead of debug
#   limits   1: the limits that people have (how many sessions, too), instead of none
#   sql_counts  1: what the test changes by SQL counts on the very next request, and who is signed in is asked of the
#            database each time, also while it is down (AccountCacheTTL off); else as people have it
#   allow    qr/../ of error log lines that the checks at the end accept
# In all texts @PORT@, @DIR@ (the server's directory), @HTDOCS@ and @ROOT@ (source tree) are replaced.
sub new {
    my ($class, %opt) = @_;
    my $self = bless {
        mpm => $ENV{ACCOUNT_MPM} || 'event', db => $ENV{ACCOUNT_DB} || 'sqlite3', hash => 'argon2id m=64 t=1 p=1',
        mounts => "AccountMount /user mmall\n", conf => '', files => {}, modules => [], account => 1, contracts => 1,
        loglevel => 'debug', dir => temp_dir('httpd'), port => free_port(), fetched => '', %opt,
    }, $class;
    my $dir = $self->{dir};
    if ($self->{account}) {
        $self->{module} //= $ENV{ACCOUNT_MODULE} || "$ROOT/.libs/mod_account.so";
        -r $self->{module} or croak "no module $self->{module}: build it, or set ACCOUNT_MODULE";
        spew("$dir/account.key", encode_base64(join('', map { chr int rand 256 } 1 .. 48), '') . "\n", 0600);
        if ($self->{db} eq 'mysql') {
            $self->{mariadb} ||= Account::MariaDB->shared;
            $self->{dbname} //= $self->{mariadb}->fresh_database;
        }
    }
    mkdir "$dir/$_" for qw(logs run htdocs tmp);
    spew("$dir/mime.types", "text/html html\ntext/plain txt\napplication/json json\n");
    spew("$dir/htdocs/static.txt", "a static file\n");
    spew("$dir/$_", $self->fill($self->{files}{$_})) for keys %{ $self->{files} };
    $self->write_conf;
    push @all, $self;
    return $self;
}

sub dir  { $_[0]{dir} }
sub port { $_[0]{port} }
sub url  { "http://127.0.0.1:$_[0]{port}" . ($_[1] // '') }

sub fill {
    my ($self, $text) = @_;
    my %value = (PORT => $self->{port}, DIR => $self->{dir}, HTDOCS => "$self->{dir}/htdocs", ROOT => $ROOT);
    $text =~ s/\@(PORT|DIR|HTDOCS|ROOT)\@/$value{$1}/g;
    return $text;
}

sub database_line {
    my ($self) = @_;
    return '' if $self->{db} eq 'none';
    return "AccountDatabase sqlite3 $self->{dir}/account.db\n" if $self->{db} eq 'sqlite3';
    return 'AccountDatabase mysql "' . $self->{mariadb}->params($self->{dbname}, $self->{mysql_by} // 'sock') . "\"\n";
}

# All that AccountLimit knows. Tests come from one address and ask more often than people: they have no limits
# unless they are about them (limits => 1).
sub limit_names {
    my @names = slurp("$ROOT/mod_account/action/limits.c") =~ /^\s*\[ACCOUNT_LIMIT_\w+\] = \{"([a-z-]+)"/mg;
    @names > 10 or croak 'where are the names of limits?';
    return @names;
}

sub account_conf {
    my ($self) = @_;
    return '' if !$self->{account};
    my $conf = "LoadModule account_module $self->{module}\nAccountSecretFile $self->{dir}/account.key\n"
        . $self->database_line . "AccountTexts $ROOT/conf/texts\n";
    $conf .= "AccountPasswordHash $self->{hash}\n" if $self->{hash};
    $conf .= "AccountCacheTTL off\n" if $self->{sql_counts};
    $conf .= join '', "AccountSessionsPerAccount off\n", map { "AccountLimit $_ off\n" } limit_names() if !$self->{limits};
    my @contracts = glob "'$ROOT/conf/contracts/*.conf'";
    $conf .= qq(Include "$ROOT/conf/contracts/*.conf"\n) if $self->{contracts} && @contracts;
    return $conf . $self->{mounts} . "\n";
}

# Writes httpd.conf; a test may change members (conf, mounts, ...) and call it again before a restart.
sub write_conf {
    my ($self) = @_;
    my @vhosts = ref $self->{vhost} ? @{ $self->{vhost} } : defined $self->{vhost} ? $self->{vhost} : ();
    my $conf = join '', map { load_module($_) } "mpm_$self->{mpm}", @MODULES, @{ $self->{modules} };
    $conf .= <<"END" . $MPM{ $self->{mpm} };
ServerRoot "\@DIR\@"
DefaultRuntimeDir "\@DIR\@/run"
PidFile "\@DIR\@/run/httpd.pid"
Listen 127.0.0.1:\@PORT\@
ServerName 127.0.0.1:\@PORT\@
TypesConfig "\@DIR\@/mime.types"
KeepAliveTimeout 2
GracefulShutdownTimeout 5
LogLevel $self->{loglevel}
ErrorLog "\@DIR\@/logs/error_log"
LogFormat "%h %u %t \\"%r\\" %q %U \\"%{Referer}i\\" %>s %B" everything
CustomLog "\@DIR\@/logs/access_log" everything
ForensicLog "\@DIR\@/logs/forensic_log"
ExtendedStatus On
DocumentRoot "\@DIR\@/htdocs"
<Directory "\@DIR\@/htdocs">
    AllowOverride All
    Require all granted
</Directory>
<Location "/server-status">
    SetHandler server-status
</Location>
END
    $conf .= $self->account_conf . $self->{conf} . "\n";
    $conf .= "<VirtualHost 127.0.0.1:\@PORT\@>\n$_\n</VirtualHost>\n" for @vhosts;
    spew("$self->{dir}/httpd.conf", $self->fill($conf));
    return $self;
}

sub command {
    my ($self, @arguments) = @_;
    return (httpd(), '-d', $self->{dir}, '-f', "$self->{dir}/httpd.conf", @arguments);
}

# As `apachectl configtest`: (exit status, output).
sub configtest {
    my ($self) = @_;
    my $output = "$self->{dir}/configtest";
    unlink $output;
    my $run = Account::Process->spawn(command => [ $self->command('-t') ], output => $output, limit => 30);
    return ($run->wait_for(60), slurp($output));
}

# Returns itself, as soon as connections are served; dies with the reason in the text if it does not start.
sub start {
    my ($self) = @_;
    my $pid_file = "$self->{dir}/run/httpd.pid";
    unlink $pid_file;
    $self->{process} = Account::Process->spawn(
        command => [ $self->command('-DFOREGROUND') ], output => "$self->{dir}/logs/output", env => { LC_ALL => 'C' });
    my $ready = wait_until(30, sub { -s $pid_file || !$self->running }) && $self->running
        && IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 10);
    return $self if $ready;
    $self->{process}->end;
    croak "httpd did not start:\n" . slurp("$self->{dir}/logs/output") . $self->last_lines(30);
}

sub running { my ($self) = @_; return $self->{process} && $self->{process}->running }
sub pid     { $_[0]{process}->pid }

sub child_pids {
    my ($self) = @_;
    return sort { $a <=> $b } map { m{/proc/(\d+)/} && slurp($_) =~ /\) \S (\d+)/ && $1 == $self->pid ? m{(\d+)} : () }
        glob '/proc/[0-9]*/stat';
}

# Waits until all threads of the children are waiting for something; three seconds at most.
#
# An answer comes before the thread that gave it is done with the connection. The event MPM's hard stop closes the
# connections of its workers, and crashes when one of them has just freed its own (close_worker_sockets in event.c,
# httpd 2.4.71, with static files alone): that is not what is tested here.
sub settle {
    my ($self) = @_;
    my $quiet = 0;
    wait_until(3, sub {
        my @busy = grep { slurp($_) =~ /.*\) [RD] /s } map { glob "/proc/$_/task/*/stat" } $self->child_pids;
        return ($quiet = @busy ? 0 : $quiet + 1) == 2;
    });
    return $self;
}

# Orderly; dies if it takes more than 30 seconds. kill9: as a crash, children included.
sub stop {
    my ($self) = @_;
    return $self if !$self->running;
    $self->settle;
    $self->{process}->signal('TERM');
    defined $self->{process}->wait_for(30) or croak 'httpd did not stop';
    return $self;
}

sub kill9 {
    my ($self) = @_;
    $self->{process}->signal('KILL');    # the supervisor then kills the children
    $self->{process}->wait_for(10);
    return $self;
}

# restart('graceful') or restart('hard'), without a new process; returns when the new generation is up.
sub restart {
    my ($self, $how) = @_;
    my $up = sub { scalar(() = $self->error_log =~ /resuming normal operations/g) };
    my $before = $up->();
    $self->settle if ($how // '') eq 'hard';
    $self->{process}->signal(($how // 'graceful') eq 'graceful' ? 'USR1' : 'HUP');
    wait_until(30, sub { $up->() > $before }) or croak 'httpd did not restart: ' . $self->last_lines(30);
    return $self;
}

sub error_log    { slurp("$_[0]{dir}/logs/error_log") }
sub access_log   { slurp("$_[0]{dir}/logs/access_log") }
sub forensic_log { slurp("$_[0]{dir}/logs/forensic_log") }

sub last_lines {
    my ($self, $count) = @_;
    my @lines = grep { !/\[(?:watchdog|authz_core|mpm_\w+):debug\]/ } split /^/, $self->error_log;
    splice @lines, 0, @lines - $count if @lines > $count;
    return join '', @lines;
}

# See Account::Client::request for what goes in and comes out.
sub request {
    my ($self, $method, $path, %opt) = @_;
    my $r = Account::Client::request($self->{port}, $method, $path, %opt);
    $self->{fetched} .= $r->{body} if $path =~ m{^/server-status};
    return $r;
}
sub get  { my ($self, $path, %opt) = @_; return $self->request(GET => $path, %opt) }
sub post { my ($self, $path, %opt) = @_; return $self->request(POST => $path, %opt) }

# The bytes as they are; returns all bytes that come back until the server closes (send "Connection: close")
# or the time is up; in list context also the error.
sub raw {
    my ($self, $bytes, $timeout) = @_;
    my ($reply, $error) = Account::Client::exchange($self->{port}, $bytes, $timeout // 10);
    return wantarray ? ($reply, $error) : $reply;
}

# SQL on this server's database, for a look behind the scenes: rows of tab-separated columns.
sub sql {
    my ($self, $query) = @_;
    return $self->{mariadb}->sql($query, $self->{dbname}) if $self->{db} eq 'mysql';
    utf8::encode($query) if utf8::is_utf8($query);
    my @command = ('sqlite3', '-bail', '-cmd', '.timeout 10000', '-tabs', "$self->{dir}/account.db", $query);
    open my $out, '-|', @command or croak "sqlite3: $!";
    my @rows = <$out>;
    close $out or croak "sqlite3 refused: $query";
    chomp @rows;
    utf8::decode($_) for @rows;
    return wantarray ? @rows : join "\n", @rows;
}

# Everything this server has written where an administrator or a visitor of server-status could read it.
sub logs {
    my ($self) = @_;
    my %text = map { m{([^/]+)$} => slurp($_) } grep { !/\.pid$/ } glob "$self->{dir}/logs/*";
    $text{'server-status'} = $self->{fetched};
    return \%text;
}

1;
