# matrix: once
#
# ./demo as a newcomer meets it: it builds, it starts, every line of its page answers what stands below it, and
# nothing stays behind however it ends.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Process 'free_port';
use Encode 'decode';
use Time::HiRes qw(sleep time);

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

# What a line prints, with what is different each time made the same. All that is no JSON is text.
sub shape {
    my ($text) = @_;
    my $json = eval { JSON::PP->new->utf8->allow_nonref->decode($text) };
    return defined $json ? same($json) : same(decode('UTF-8', $text) =~ s/\s+\z//r);
}

sub same {
    my ($value, $name) = @_;
    return { map { $_ => same($value->{$_}, $_) } keys %$value } if ref $value eq 'HASH';
    return [ map { same($_) } @$value ] if ref $value eq 'ARRAY';
    return $value if !defined $value || ref $value;
    return $value =~ s/\A[1-9]\d*\z/id/r if ($name // '') =~ /\A(?:id|user_id|entity_id|gid)\z/ && $value =~ /\A\d+\z/;
    return 'ms' if $value =~ /\A[12]\d{12}\z/;
    return 'session' if $value =~ /\A[0-9a-f]{16}\z/;
    return 'code' if $value =~ /\A\d{6}\z/;
    return 'date' if $value =~ /\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00\z/;
    my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
    return $value =~ s/\b(?:[0-9a-f]{32}[a-z2-7]{26}|$uuid|[0-9a-f]{32}|[a-z2-7]{26})\b/token/gr;
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
cmp_ok(scalar(@lines), '<=', 9, 'in few lines');
is((stat "$run/account.key")[2] & 077, 0, 'the key is nobody else\'s');

my $start = request(GET => '/');
is($start->{headers}{'content-type'}[0], 'text/html; charset=utf-8', 'the start page');
my @pages = ('index.html', grep { $_ ne 'index.html' } map { m{([^/]+)\z} } sort glob "$ROOT/conf/demo/htdocs/*.html");
my @examples;
for my $name (@pages) {
    my $page = request(GET => "/$name")->{body};
    unlike($page, qr/127\.0\.0\.1:(?!$port\b)/, "$name: names this port only");
    for my $link ($page =~ /(?:href|src)="([^"#:]+)(?:#[^"]*)?"/g) {
        next if $link eq 'README.md' && !-e "$ROOT/README.md";
        my $wanted = $link =~ m{\A(?:members/|staff/|account-status)} ? 401 : 200;    # nobody is signed in
        is(request(GET => $link =~ s{\A(?:\./)?}{/}r)->{status}, $wanted, "$name: $link");
    }
    ok($name eq 'index.html' || $start->{body} =~ /href="\Q$name\E"/, "$name: the start page leads there");
    while ($page =~ m{<pre><code>(.*?)</code></pre>\s*<samp>(.*?)</samp>}gs) {
        my %example = (page => $name, line => $1, reply => $2);
        s/&quot;/"/g, s/&lt;/</g, s/&gt;/>/g, s/&amp;/&/g for @example{qw(line reply)};
        push @examples, \%example;
    }
}
my %used;    # lines by what they ask for: each route wants one of its own
for my $mount (slurp("$ROOT/conf/demo/httpd.conf") =~ /^AccountMount +(\S+ +\S+)$/mg) {
    my ($prefix, $contract) = split ' ', $mount;
    my @paths = slurp("$ROOT/conf/contracts/$contract.conf") =~ /^ *<AccountRoute \S+ \S+ (\S+?)>/mg;
    my @missing;
    for my $path (@paths) {
        my $like = quotemeta(($prefix eq '/' ? '' : $prefix) . $path) =~ s/\\\{\w+\\\}/[^'"?\/]+/gr;
        my @lines = grep { $_->{line} =~ m{:$port$like['"?]} } @examples;
        push @missing, $path if @lines <= ($used{$like}++ // 0);
    }
    ok(@paths > 0, "$contract has routes");
    is_deeply(\@missing, [], "$contract: each has its line on a page");
}

# A message comes a moment after what it tells: the file is read until it has another one than the last time.
my %last;
sub newest {
    my ($line) = @_;
    my $text;
    wait_until(10, sub { ($text = in_shell($line)) =~ /\S/ && $text ne ($last{$line} // '') });
    return $last{$line} = $text;
}
for (@examples) {
    my $reads = $_->{line} =~ /messages\.jsonl/;
    my ($what) = $_->{line} =~ m{//[^/]+(/[^'"?]*)};
    my $got = $reads ? newest($_->{line}) : in_shell($_->{line});
    is_deeply(shape($got), shape($_->{reply}), "as on $_->{page}: $what");
}
my @messages = map { JSON::PP->new->utf8->decode($_) } split /\n/,
    request(GET => '/messages.jsonl')->{body};
cmp_ok(scalar(@messages), '>=', 11, 'the file of messages');
my @strange = grep { $_->{text} !~ /demo/ || $_->{channel} !~ /\A(?:sms|mail)\z/ } @messages;
is_deeply(\@strange, [], 'each says whose it is');
is((stat "$run/messages.jsonl")[2] & 077, 0, 'it is nobody else\'s');

# What is guarded: the sign-in page, a member, an administrator as the start page says.
my %navigation = (headers => { Accept => 'text/html', 'Sec-Fetch-Mode' => 'navigate' });
is(request(GET => '/members/', %navigation)->{headers}{location}[0], '/signin.html?return=%2fmembers%2f', 'a browser is sent to sign in');
my $jar = Account::Jar->new;
is(request(POST => '/user/login.do', form => { username => 'anna', password => 'open-sesame' }, cookie => $jar)->{json}{status}, 0,
    'as that page does it');
like(request(GET => '/members/', cookie => $jar)->{text}, qr/Members/, 'then it is seen');
is(request(GET => $_, cookie => $jar)->{status}, 403, "$_ is not for everybody") for qw(/staff/ /account-status);
my ($promote) = map { s/&quot;/"/gr } $start->{body} =~ m{<pre><code>([^<]*UPDATE account[^<]*)</code></pre>};
is(in_shell($promote), '', 'the start page says how to become an administrator');
like(output(), qr/^Admin +\Q${\ ($promote =~ s{ "UPDATE.*}{}sr)}\E "UPDATE account/m, 'and so does ./demo');
sleep 1.1;    # AccountCacheTTL
like(request(GET => '/staff/', cookie => $jar)->{text}, qr/Staff/, 'and that counts, a second later');
like(request(GET => '/account-status', cookie => $jar)->{headers}{'content-type'}[0], qr{\Atext/html}, 'what happens here');
like(request(GET => '/account-status?auto', cookie => $jar)->{text}, qr/^account_up\{.*\} 1$/m, 'and for Prometheus');

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
unlike($logs, qr/open-(?:sesame|barley)|kalengo201|深圳/, 'but no secret');
my @secrets = map { $_->{code} // $_->{link} =~ s/.*token=//r } grep { $_->{code} || $_->{link} } @messages;
is_deeply([ grep { index($logs, $_) >= 0 } @secrets ], [], 'neither a code nor a token');
# what was refused above is a line of httpd's (AH01630) and one of ours
my @complaints = grep { !/ AH01630: client denied| AC00230: / } $logs =~ /^.*\[\w+:(?:warn|error|crit|alert|emerg)\].*/mg;
is("@complaints", '', 'and no complaint');

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
