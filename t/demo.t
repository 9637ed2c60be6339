# matrix: once
#
# ./demo as a newcomer meets it: it builds, it starts, every line of its page answers what stands below it, and
# nothing stays behind however it ends.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Process 'free_port';
use Encode 'decode';
use Time::HiRes 'time';

my $dir = temp_dir('demo');
my $run = "$dir/run";
my $port = free_port();
my ($demo, $runs) = (undef, 0);

sub spawn {
    my ($at, @arguments) = @_;
    my $command = [ 'env', "PORT=$at", "ACCOUNT_RUN=$run", 'bash', "$ROOT/demo", @arguments ];
    return Account::Process->spawn(command => $command, output => "$dir/output." . ++$runs, limit => 200);
}
sub output { decode('UTF-8', slurp("$dir/output.$runs")) }
sub request { return Account::Client::request($port, @_) }

# Seconds until the page is there, or undef.
sub start {
    my $begin = time;
    $demo = spawn($port, @_);
    my $up = wait_until(180, sub { !$demo->running || output() =~ /^Ctrl-C/m }) && request(GET => '/')->{status} == 200;
    diag(output()) if !$up;
    return $up ? time - $begin : undef;
}

# What runs of this demo: all that has its environment.
sub processes {
    my ($name) = @_;
    my @pids = map { slurp("/proc/$_/environ") =~ /(?:\A|\0)ACCOUNT_RUN=\Q$run\E\0/ ? $_ : () }
        map { m{(\d+)\z} } glob '/proc/[0-9]*';
    return grep { !defined $name || slurp("/proc/$_/cmdline") =~ m{\A[^\0]*\Q$name\E} } @pids;
}

sub ends_with {
    my ($signal, $text) = @_;
    cmp_ok(scalar(processes()), '>=', 4, "$text: there is something to end");
    $demo->signal($signal);
    is($demo->wait_for(20), 130, "$text: SIG$signal ends it");
    is_deeply([ processes() ], [], "$text: and all that it started");
}

# JSON with what is different each time made the same.
sub shape {
    my ($text) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($text) } or return "no JSON: $text";
    my $data = $json->{data};
    if (ref $data) {
        s/\A[12]\d{12}\z/ms/ for grep { defined } @$data{qw(createTime updateTime)};
        $data->{id} =~ s/\A[1-9]\d*\z/id/;
    }
    elsif (defined $data) {
        $json->{data} =~ s/\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/uuid/;
    }
    return $json;
}

sub in_shell {
    my ($line) = @_;
    open my $out, '-|', 'sh', '-c', 'cd "$1" && eval "$2"', 'sh', $dir, $line or die "sh: $!\n";
    local $/;
    return scalar(<$out>) // '';
}

# A port that somebody else has.
{
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1);
    my $other = spawn($taken->sockport);
    is($other->wait_for(20), 2, 'a taken port: refused');
    like(output(), qr/\Aport \d+ is taken/, 'a taken port: it says so first');
    is_deeply([ grep { -e } "$run/build", "$run/account.key" ], [], 'a taken port: nothing done yet');
}

# SQLite, from nothing.
ok(defined start(), 'it builds and starts');
like(output(), qr{^Open +http://127\.0\.0\.1:$port/$}m, 'says where');
my @lines = output() =~ /^\S.*/mg;
cmp_ok(scalar(@lines), '<=', 7, 'in few lines');
is((stat "$run/account.key")[2] & 077, 0, 'the key is nobody else\'s');

my $page = request(GET => '/');
is($page->{headers}{'content-type'}[0], 'text/html; charset=utf-8', 'the page');
unlike($page->{body}, qr/127\.0\.0\.1:(?!$port\b)/, 'the page: names this port only');
for my $link ($page->{body} =~ /(?:href|src)="([^#"][^":]*)"/g) {
    next if $link eq 'README.md' && !-e "$ROOT/README.md";
    is(request(GET => "/$link")->{status}, 200, "the page: $link");
}

my @examples;
while ($page->{body} =~ m{<pre><code>(.*?)</code></pre>\s*<samp>(.*?)</samp>}gs) {
    my %example = (line => $1, reply => $2);
    s/&quot;/"/g, s/&lt;/</g, s/&gt;/>/g, s/&amp;/&/g for values %example;
    push @examples, \%example;
}
for my $mount (slurp("$ROOT/conf/demo/httpd.conf") =~ /^AccountMount +(\S+ +\S+)$/mg) {
    my ($prefix, $contract) = split ' ', $mount;
    my @paths = slurp("$ROOT/conf/contracts/$contract.conf") =~ /^ *<AccountRoute \S+ \S+ (\S+?)>/mg;
    my @missing = grep { my $path = "$prefix$_"; !grep { $_->{line} =~ m{\Q:$port$path\E['?]} } @examples } @paths;
    ok(@paths > 0, "$contract has routes");
    is_deeply(\@missing, [], "$contract: each has its line on the page");
}
for (@examples) {
    my ($what) = $_->{line} =~ m{//[^/]+/([^'?]+)};
    is_deeply(shape(in_shell($_->{line})), shape($_->{reply}), "as on the page: $what");
}

# The same from a browser, under both names.
for my $host ("127.0.0.1:$port", "localhost:$port") {
    my %form = (form => { username => 'anna', password => 'open-sesame' });
    my %from = (Host => $host, 'Sec-Fetch-Site' => undef);
    my $r = request(POST => '/user/login.do', %form, headers => { %from, Origin => "http://$host" });
    is($r->{json}{status}, 0, "a browser at $host");
    $r = request(POST => '/user/login.do', %form, headers => { %from, Origin => 'http://elsewhere.example' });
    is($r->{json}{status}, 1, "another site's page in a browser at $host");
}

my $second = spawn(free_port());
is($second->wait_for(20), 2, 'a second one in the same folder: refused');
like(output(), qr/a demo runs already in \Q$run\E/, 'a second one: it says why');
ends_with('TERM', 'SQLite');

my $logs = decode('UTF-8', join '', map { slurp("$run/$_.log") } qw(access error demo));
like($logs, qr{"POST /user/login\.do HTTP/1\.1" 200}, 'it logs');
unlike($logs, qr/open-(?:sesame|barley)|深圳/, 'but no secret');
unlike($logs, qr/\[\w+:(?:warn|error|crit|alert|emerg)\]/, 'and no complaint');

# Again: nothing to build, and the accounts are there.
cmp_ok(start() // 'never', '<', 10, 'a second start is quick');
my $login = request(POST => '/user/login.do', form => { username => 'anna', password => 'open-sesame' });
is($login->{json}{status}, 0, 'the account is still there');
cmp_ok(scalar(processes('apache') || processes('httpd')), '>=', 2, 'SIGKILL: there is something to end');
$demo->signal('KILL');
ok(wait_until(3, sub { !processes() }), 'SIGKILL: all of it is gone within 3 seconds');

# MariaDB
ok(defined start('--mysql'), 'MariaDB: it starts');
my %bob = (username => 'bob', password => 'open-sesame');
my $r = request(POST => '/user/register.do', form => { %bob, email => 'bob@example.com' });
is($r->{json}{status}, 0, 'MariaDB: register');
is(request(POST => '/user/login.do', form => \%bob)->{json}{status}, 0, 'MariaDB: login');
ok(!-e "$run/mariadb/socket" || (stat "$run/mariadb")[2] % 0100 == 0, 'MariaDB: nobody else reaches its socket');
ends_with('INT', 'MariaDB');
ok(defined start('--mysql'), 'MariaDB: again');
is(request(POST => '/user/login.do', form => \%bob)->{json}{status}, 0, 'MariaDB: the account is still there');
ok(scalar(processes('mariadbd')), 'MariaDB: there is something to end');
$demo->signal('KILL');
ok(wait_until(3, sub { !processes('apache') && !processes('httpd') }), 'MariaDB: SIGKILL: httpd is gone in 3 seconds');
ok(wait_until(15, sub { !processes() }), 'MariaDB: SIGKILL: and soon the database');

done();
