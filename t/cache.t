# The session cache: a check asks no database, and nothing that was changed is ever answered from before, whichever process
# answers, whoever is killed, whatever is evicted.
# matrix: all
# alone
use lib 't/lib';
use Account::Race 'background';
use Account::Test;
use IO::Socket::INET;
use List::Util qw(max sum0);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep time);

my $CHECKS = $ENV{ACCOUNT_LONG} ? 40_000 : 10_000;
my $CLIENTS = 5;
my $password = canary('Sesame-cache-1');
my $other = canary('Sesame-cache-2');
my $mysql = ($ENV{ACCOUNT_DB} || '') eq 'mysql';

sub now { return clock_gettime(CLOCK_MONOTONIC) }

sub server {
    return Account::Server->new(loglevel => 'info', @_,
        mounts => "AccountMount /user mmall\nAccountMount /management management\nAccountMount /account devices\n",
        conf => "<Location \"/account-status\">\nSetHandler account-status\n</Location>\n"
            . "<Location \"/staff\">\nAuthType Account\nRequire account-role admin\n</Location>\nMaxKeepAliveRequests 20\n" . ({@_}->{conf} // ''),
        files => { 'htdocs/staff/index.html' => "staff\n" })->start;
}

sub login {
    my ($server, $name) = @_;
    my $jar = Account::Jar->new;
    $server->post('/user/login.do', form => { username => $name, password => $password }, cookie => $jar);
    $jar->get('mmall_login_token') or die "$name can't log in";
    return $jar;
}

sub account {
    my ($server, $name) = @_;
    $server->post('/user/register.do', form => { username => $name, password => $password, email => "$name\@example.com" });
    return login($server, $name);
}

sub boss {
    my ($server) = @_;
    my $jar = account($server, 'boss');
    $server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'boss'");
    return $jar;
}

# What a session check says: the role's number, "out", or what went wrong.
sub said {
    my ($status, $text) = @_;
    return $status != 200 ? "status $status" : $text =~ /"role":(\d)/ ? "role $1" : $text =~ /"status":1,/ ? 'out' : $text;
}

# Over a connection that is kept for a while; the socket is in $$kept. 'lost' where there is no answer.
sub check {
    my ($port, $jar, $kept) = @_;
    my $socket = $$kept ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return 'lost';
    my $got = '';
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, "GET /user/get_user_info.do HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nUser-Agent: check\r\nCookie: " . $jar->header . "\r\n\r\n";
    while ($got !~ /\r\n\r\n/ || length($') < ($got =~ /^Content-Length: (\d+)/mi ? $1 : 0)) {
        if (!sysread $socket, $got, 65536, length $got) { undef $$kept; return 'lost' }
    }
    undef $$kept if $got =~ /^Connection: close/mi;
    return said($got =~ m{^HTTP/1.1 (\d+)}, $got);
}

sub info { my ($server, $jar) = @_; my $r = $server->get('/user/get_user_info.do', cookie => $jar); return said($r->{status}, $r->{text}) }

sub metric { my ($server, $name) = @_; return $server->get('/account-status?auto')->{text} =~ /^\Q$name\E(?:\{.*?\})? (\d+)/m ? $1 : -1 }

sub statements { my ($server) = @_; return ($server->sql("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'") =~ /(\d+)/)[0] }

# --- steady state ---

my $server = server();
my $boss = boss($server);
my $anna = account($server, 'anna');
is(info($server, $anna), 'role 0', 'signed in');
my $hits = metric($server, 'account_cache_hits_total');
my $executed = $mysql ? statements($server) : 0;
my $kept;
my %seen;
my $begun = time;
$seen{ check($server->port, $anna, \$kept) }++ for 1 .. 3000;
my $seconds = time - $begun;
is_deeply(\%seen, { 'role 0' => 3000 }, '3000 checks');
cmp_ok(metric($server, 'account_cache_hits_total') - $hits, '>=', 2990, 'were answered from the cache');
if ($mysql) {
    my $done = statements($server) - $executed;
    cmp_ok($done, '<=', 30, sprintf 'with %.4f statements a check', $done / 3000);
}
diag(sprintf '%d checks a second, one client', 3000 / $seconds);
is($server->get('/staff/', cookie => $anna)->{status}, 403, 'no role, no entrance');
$server->post('/management/role', json => { account => 'anna', role => 'admin' }, cookie => $boss);
is($server->get('/staff/', cookie => $anna)->{status}, 200, 'a role, on the next request');

# --- while everything changes ---

# Accounts that go through roles and then lose their sessions, while clients check all of them all the time. Returns the
# answers that were wrong. opt: kill, graceful => 1; name, checks, accounts, rounds of roles, pause after each change
sub storm {
    my ($server, $admin, %opt) = @_;
    my @names = map { "$opt{name}-$_" } 1 .. $opt{accounts};
    my @jars = map { account($server, $_) } @names;
    my @deputy = map { login($server, $_) } @names;
    my $stop = "$server->{dir}/stop-$opt{name}";
    my $join = background($CLIENTS, sub {
        my ($i) = @_;
        my (@answers, $kept);
        while (@answers < $opt{checks} / $CLIENTS || !-e $stop) {
            my $n = int rand @jars;
            my $from = now();
            push @answers, [ $n, $from, check($server->port, $jars[$n], \$kept), now() ];
        }
        return \@answers;
    }, 120);

    my @changes = map { [ [ 0, 0, 'role 0' ] ] } @names;    # of each account: [asked, known, what is true from then on]
    my $change = sub {
        my ($n, $state, @request) = @_;
        my $from = now();
        my $r;
        # who was killed in mid-work has done it or not: it is asked again until somebody says that it is so
        my $known = wait_until(20, sub { $r = $server->request(@request, timeout => 8); return ($r->{status} || 0) =~ /^(?:200|40[0-4])$/ });
        push @{ $changes[$n] }, [ $from, $known ? now() : undef, $state ];
        diag("$names[$n]: @request[0, 1]: no answer") if !$known;
        sleep($opt{pause} // 0.005);
    };
    my %events = map { $_ => 0 } qw(kill graceful);
    my $next = now() + 0.3;
    my $trouble = sub {
        return if now() < $next;
        $next = now() + 0.3;
        if ($opt{kill}) { my @children = $server->child_pids; kill KILL => $children[ rand @children ] if @children; $events{kill}++ }
        if ($opt{graceful} && $events{graceful} < 2) { $server->restart('graceful'); $events{graceful}++ }
    };
    for my $round (1 .. $opt{rounds}) {
        for my $n (0 .. $#names) {
            my $role = $round % 2;
            $trouble->();
            $change->($n, "role $role", POST => '/management/role',
                json => { account => $names[$n], role => $role ? 'admin' : 'normal_user' }, cookie => $admin);
        }
    }
    for my $n (0 .. $#names) {
        $trouble->();
        $change->($n, 'out', $n % 4 == 0 ? (GET => '/user/logout.do', cookie => $jars[$n])
            : $n % 4 == 1 ? (POST => '/management/disable', json => { account => $names[$n] }, cookie => $admin)
            : $n % 4 == 2 ? (POST => '/user/reset_password.do', form => { passwordOld => $password, passwordNew => $other }, cookie => $deputy[$n])
            : (DELETE => '/account/sessions', cookie => $deputy[$n]));
    }
    spew($stop, '');
    my @answers = map { @$_ } $join->();
    my %kinds;
    my @wrong;
    for my $answer (@answers) {
        my ($n, $from, $got, $to) = @$answer;
        my %right;
        for my $one (@{ $changes[$n] }) {
            %right = () if defined $one->[1] && $one->[1] <= $from;
            $right{ $one->[2] } = 1 if $one->[0] <= $to;
        }
        $kinds{$got}++;
        next if $right{$got} || ($opt{kill} || $opt{graceful}) && $got eq 'lost';
        push @wrong, "$names[$n]: $got instead of " . join ' or ', sort keys %right;
    }
    my @last = map { info($server, $jars[$_]) } 0 .. $#names;
    is_deeply([ grep { $_ ne 'out' } @last ], [], "$opt{name}: all are out");
    cmp_ok(scalar @answers, '>=', $opt{checks}, "$opt{name}: " . join ', ', map { "$kinds{$_} x $_" } sort keys %kinds);
    cmp_ok($kinds{'role 0'} && $kinds{'role 1'} && $kinds{out} ? 3 : 0, '==', 3, "$opt{name}: all kinds of answers");
    cmp_ok($events{kill}, '>', 1, "$opt{name}: children were killed") if $opt{kill};
    cmp_ok($events{graceful}, '>', 1, "$opt{name}: restarts") if $opt{graceful};
    return is_deeply([ @wrong > 5 ? @wrong[0 .. 4] : @wrong ], [], "$opt{name}: not one answer from before");
}

storm($server, $boss, name => 'load', checks => $CHECKS, accounts => 16, rounds => 6);
storm($server, $boss, name => 'killed', checks => 1000, accounts => 8, rounds => 6, pause => 0.03, kill => 1);
storm($server, $boss, name => 'graceful', checks => 1000, accounts => 8, rounds => 6, pause => 0.03, graceful => 1);

# --- killed between the change and its being known ---

# The change waits in the database for a lock that we hold, its child is killed, and then it happens all the same.
if ($mysql) {
    my $cleo = account($server, 'cleo');
    my $check = sub { return join ' ', map { info($server, $cleo) } 1 .. 12 };
    is($check->(), join(' ', ('role 0') x 12), 'before');
    my $db = $server->{mariadb};
    my $lock = background(1, sub {
        eval { $db->sql("BEGIN; UPDATE account SET logins = logins WHERE user_name = 'cleo'; SELECT SLEEP(25); COMMIT", $server->{dbname}) };
        return 1;
    }, 40);
    sleep 0.5;
    my $asked = background(1, sub {
        $server->post('/management/role', json => { account => 'cleo', role => 'admin' }, cookie => $boss, timeout => 5);
        return 1;
    }, 20);
    my $waits = sub { return scalar grep { /account SET role/ } $db->sql("SELECT info FROM information_schema.processlist WHERE command <> 'Sleep'") };
    ok(wait_until(3, sub { $waits->() }), 'a change waits');
    kill KILL => $server->child_pids;
    $asked->();
    ok(wait_until(10, sub { info($server, $cleo) eq 'role 0' }), 'its children are gone, others are there');
    is($check->(), join(' ', ('role 0') x 12), 'and it has not happened yet');
    my ($sleeper) = $db->sql("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(25)%'");
    $db->sql("KILL CONNECTION $sleeper");
    $lock->();
    my $happened = wait_until(3, sub { $server->sql("SELECT role FROM account WHERE user_name = 'cleo'") eq 'admin' });
    ok($happened, 'then it happens, though nobody is left who asked for it') or diag($waits->());
    is($check->(), join(' ', ('role 1') x 12), 'and every process knows it at once');
}
$server->stop;

# --- a restart that loads the module to another place ---

# Who is still being answered by a child of before changes something: the children of after know.
my $moved = server();
my $mary = account($moved, 'mary');
my $chief = boss($moved);
my $order = '{"account":"mary","role":"admin"}';
my $late = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $moved->port, Timeout => 5) or die "no connection: $@";
syswrite $late, "POST /management/role HTTP/1.1\r\nHost: 127.0.0.1:" . $moved->port . "\r\nCookie: " . $chief->header
    . "\r\nContent-Type: application/json\r\nContent-Length: " . length($order) . "\r\nConnection: close\r\n\r\n" . substr $order, 0, 5;
sleep 0.5;
$moved->{modules} = [qw(proxy proxy_http)];
$moved->write_conf->restart('graceful');
is(join(' ', map { info($moved, $mary) } 1 .. 12), join(' ', ('role 0') x 12), 'moved: before');
syswrite $late, substr $order, 5;
like(join('', <$late>), qr{^HTTP/1.1 200 }, 'moved: changed by a child of before');
is(join(' ', map { info($moved, $mary) } 1 .. 12), join(' ', ('role 1') x 12), 'moved: known to those of after');
$moved->stop;

# --- two databases with the same realm and key ---

my $pair = Account::Server->new(loglevel => 'info', db => 'none', mounts => '',
    vhost => [ map { "ServerName $_.test\nAccountDatabase sqlite3 \@DIR\@/$_.db\nAccountMount /user mmall" } qw(one two) ])->start;
my %of;
for my $site (qw(one two)) {
    my @host = (headers => { Host => "$site.test" });
    $pair->post('/user/register.do', form => { username => "of-$site", password => $password, email => 'a@example.com' }, @host);
    $pair->post('/user/login.do', form => { username => "of-$site", password => $password }, cookie => $of{$site} = Account::Jar->new, @host);
}
for my $site (qw(one two one two)) {
    for my $asked (qw(one two)) {
        my $text = $pair->get('/user/get_user_info.do', cookie => $of{$site}, headers => { Host => "$asked.test" })->{text};
        is($text =~ /"username":"(.*?)"/ ? $1 : 'out', $site eq $asked ? "of-$site" : 'out', "who is signed in at $site, asked by $asked");
    }
}
$pair->stop;

# --- SQL, by hand ---

my $hand = server(conf => "AccountCacheTTL 1s\n");
my $dora = account($hand, 'dora');
is(info($hand, $dora), 'role 0', 'by hand: before');
$hand->sql("UPDATE account SET role = 'admin' WHERE user_name = 'dora'");
sleep 1.1;
is(join(' ', map { info($hand, $dora) } 1 .. 8), join(' ', ('role 1') x 8), 'by hand: a second later');
$hand->sql('DELETE FROM account_session');
sleep 1.1;
is(join(' ', map { info($hand, $dora) } 1 .. 8), join(' ', ('out') x 8), 'by hand: the session');
$hand->stop;

# --- a cache that forgets all the time ---

my $tiny = server(conf => "AccountCache shmcb:\@DIR\@/run/tiny(16384)\n");
storm($tiny, boss($tiny), name => 'tiny', checks => 2000, accounts => 40, rounds => 2);
$tiny->stop;

my $off = server(conf => "AccountCache off\n");
my $olga = account($off, 'olga');
is(info($off, $olga), 'role 0', 'off');
is(metric($off, 'account_cache_hits_total'), 0, 'off: nobody looks');
$off->stop;

# --- without a database ---

if ($mysql) {
    my $mariadb = Account::MariaDB->new->start;
    my $down = server(mariadb => $mariadb, conf => "AccountCacheTTL 1s\nAccountCacheGrace 6s\n");
    my $admin = boss($down);
    my $nora = account($down, 'nora');
    my $late = account($down, 'late');
    is(info($down, $nora), 'role 0', 'a session');
    my $read = now();
    is($down->get('/staff/', cookie => $admin)->{status}, 200, 'an administrator');
    my $gone = Account::Jar->new(%$late);
    $down->post('/user/logout.do', cookie => $late);
    $mariadb->kill9;
    sleep 1.2;
    is(join(' ', map { info($down, $nora) } 1 .. 6), join(' ', ('role 0') x 6), 'no database: reads go on');
    is($down->get('/staff/', cookie => $admin)->{status}, 200, 'and so does what is guarded');
    for my $write (
        [ 'a login', POST => '/user/login.do', form => { username => 'nora', password => $password } ],
        [ 'a logout', POST => '/user/logout.do', cookie => Account::Jar->new(%$nora) ],
        [ 'a role', POST => '/management/role', json => { account => 'nora', role => 'admin' }, cookie => $admin ],
        [ 'another password', POST => '/user/reset_password.do', form => { passwordOld => $password, passwordNew => $other }, cookie => $nora ],
        [ 'a profile', POST => '/user/update_information.do', form => { phone => '13800138000' }, cookie => $nora ],
    ) {
        my ($name, @request) = @$write;
        is($down->request(@request)->{status}, 503, "no database: $name is not to be had");
    }
    is(info($down, $gone), 'status 503', 'who has no copy is nobody, and not turned away');
    my $left = $read + 6.2 - now();
    sleep $left if $left > 0;
    is(info($down, $nora), 'status 503', 'after the grace: no more');
    is($down->get('/staff/', cookie => $admin)->{status}, 503, 'nor there');
    $mariadb->start;
    ok(wait_until(10, sub { info($down, $nora) eq 'role 0' }), 'it is back');
    $down->sql("UPDATE account SET role = 'admin' WHERE user_name = 'nora'");
    sleep 1.1;
    is(info($down, $nora), 'role 1', 'and asked');
    $down->stop;
    $mariadb->stop;
}

done();
