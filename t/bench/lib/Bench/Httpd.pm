# The servers that are compared: private httpds on loopback, each configured as Debian ships it (event, its numbers
# of threads, an access log), with no more modules than it needs.
package Bench::Httpd;
use strict;
use warnings;
use Account::Client;
use Account::Process qw($ROOT temp_dir free_port slurp spew wait_until);
use Account::Server;
use Carp 'croak';
use MIME::Base64 'encode_base64';

use constant CONTRACTS => (
    [ '/user', 'mmall' ], [ '/mobileapi/customer', 'kalengo' ], [ '/api/v1', 'youhaosuda' ], [ '/', 'jintong' ],
    [ '/user', 'guochuang' ]);

my @MODULES = qw(authz_core authn_core authz_user unixd log_config dir mime alias env setenvif socache_shmcb watchdog);

my %MPM = (
    event => "StartServers 2\nMinSpareThreads 25\nMaxSpareThreads 75\nThreadLimit 64\nThreadsPerChild 25\n"
        . "MaxRequestWorkers 150\nMaxConnectionsPerChild 0\n",
    prefork => "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 4\n",
);

# name, conf (text), modules => [...]; account => 'sqlite3' | 'mysql' for one with mod_account, hash => its
# AccountPasswordHash (without one: the module's default), cache => what AccountCache says.
# In conf @DIR@, @PORT@, @ROOT@ are replaced.
sub new {
    my ($class, %opt) = @_;
    my $self = bless { mpm => 'event', modules => [], conf => '', mounts => "AccountMount /user mmall\n", dir => temp_dir('bench'), port => free_port(), %opt },
        $class;
    mkdir "$self->{dir}/$_" for qw(logs run htdocs);
    spew("$self->{dir}/mime.types", "text/plain txt\napplication/json json\n");
    $self->{conf} = $self->account_conf . $self->{conf} if $self->{account};
    return $self;
}

sub port { $_[0]{port} }
sub dir  { $_[0]{dir} }
sub pid  { $_[0]{process}->pid }

sub database_line {
    my ($self) = @_;
    return "AccountDatabase sqlite3 \@DIR\@/account.db\n" if $self->{account} eq 'sqlite3';
    $self->{dbname} //= $self->{mariadb}->fresh_database;
    return 'AccountDatabase mysql "' . $self->{mariadb}->params($self->{dbname}) . "\"\n";
}

sub account_conf {
    my ($self) = @_;
    $self->{key} //= join '', map { chr int rand 256 } 1 .. 32;
    spew("$self->{dir}/account.key", encode_base64($self->{key}, '') . "\n", 0600);
    return "LoadModule account_module $ENV{ACCOUNT_MODULE}\nLogLevel warn account:error\nAccountSecretFile \@DIR\@/account.key\n"
        . $self->database_line . "AccountTexts \@ROOT\@/conf/texts\n"
        . ($self->{hash}  ? "AccountPasswordHash $self->{hash}\n" : '')
        . ($self->{cache} ? "AccountCache $self->{cache}\n"       : '')
        . join('', map { "AccountLimit $_ off\n" } Account::Server::limit_names())
        . qq(Include "\@ROOT\@/conf/contracts/*.conf"\n$self->{mounts});
}

sub fill {
    my ($self, $text) = @_;
    my %value = (PORT => $self->{port}, DIR => $self->{dir}, ROOT => $ROOT);
    return $text =~ s/\@(PORT|DIR|ROOT)\@/$value{$1}/gr;
}

sub write_conf {
    my ($self) = @_;
    my %seen;
    my @modules = grep { !$seen{$_}++ } @MODULES, @{ $self->{modules} };
    spew("$self->{dir}/httpd.conf", $self->fill(join('', map { Account::Server::load_module($_) } "mpm_$self->{mpm}", @modules)
            . <<'END' . $MPM{ $self->{mpm} } . $self->{conf}));
ServerRoot "@DIR@"
DefaultRuntimeDir "@DIR@/run"
PidFile "@DIR@/run/httpd.pid"
Listen 127.0.0.1:@PORT@
ServerName 127.0.0.1:@PORT@
TypesConfig "@DIR@/mime.types"
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 5
ListenBacklog 1024
LogLevel warn
ErrorLog "@DIR@/logs/error_log"
LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined
CustomLog "@DIR@/logs/access_log" combined
DocumentRoot "@DIR@/htdocs"
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "@DIR@/htdocs">
    Require all granted
</Directory>
END
    return $self;
}

# before: words before httpd's own (valgrind and its options); limit: how long it may take to start.
sub start {
    my ($self, %opt) = @_;
    my $pid_file = "$self->{dir}/run/httpd.pid";
    $self->write_conf;
    unlink $pid_file;
    my @command = (Account::Server::httpd(), '-d', $self->{dir}, '-f', "$self->{dir}/httpd.conf",
        $opt{before} ? '-X' : '-DFOREGROUND');
    $self->{process} = Account::Process->spawn(command => [ @{ $opt{before} || [] }, @command ],
        output => "$self->{dir}/logs/output", env => { LC_ALL => 'C' });
    my $up = wait_until($opt{limit} || 60, sub { (-s $pid_file && $self->answers) || !$self->{process}->running });
    $up && $self->{process}->running
        or croak "httpd did not start:\n" . slurp("$self->{dir}/logs/output") . slurp("$self->{dir}/logs/error_log");
    return $self;
}

sub answers {
    my ($self) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5);
}

sub stop { my ($self) = @_; $self->{process}->signal('TERM'); $self->{process}->wait_for(30); return $self }

sub child_pids {
    my ($self) = @_;
    my $pid = $self->pid;
    return map { m{/proc/(\d+)/} && slurp($_) =~ /\) \S (\d+)/ && $1 == $pid ? m{(\d+)} : () } glob '/proc/[0-9]*/stat';
}

# What the processes hold, each shared page by its share: KiB.
sub pss {
    my ($self, @pids) = @_;
    my $sum = 0;
    slurp("/proc/$_/smaps_rollup") =~ /^Pss:\s+(\d+)/m and $sum += $1 for @pids;
    return $sum;
}

sub ask {
    my ($self, $method, $path, %opt) = @_;
    return Account::Client::request($self->{port}, $method, $path, timeout => 60, %opt);
}

# Until it is done: on a busy machine the queue of password hashes may be full (503 with Retry-After).
sub insist {
    my ($self, $path, %form) = @_;
    my $reply;
    for (1 .. 30) {
        $reply = $self->ask(POST => $path, form => \%form);
        return $reply if $reply->{status} == 200 && $reply->{body} =~ /"status":0/;
        last if ($reply->{status} // 0) != 503;
        sleep 1;
    }
    croak "$path: $reply->{status} $reply->{body} " . slurp("$self->{dir}/logs/error_log");
}

sub register {
    my ($self, $name, %more) = @_;
    return $self->insist('/user/register.do', username => $name, password => 'Sesame-1-x', email => "$name\@example.com", %more);
}

# An account and its session: the value of a Cookie header.
sub sign_in {
    my ($self, $name) = @_;
    $self->register($name, phone => '13800138000', question => 'Which street?', answer => 'Elm');
    my $reply = $self->insist('/user/login.do', username => $name, password => 'Sesame-1-x');
    my ($cookie) = map { /^([^;]+)/ } @{ $reply->{headers}{'set-cookie'} || [] };
    return $cookie // croak "no cookie: $reply->{body}";
}

1;
