# The database dies and comes back while the server works: for that time 503, never a wrong answer, nothing lost.
# matrix: once
# alone
#
# Both MPMs with MariaDB, whatever the matrix says: there is nothing to kill about SQLite.
use lib 't/lib';
use Account::Race 'background';
use Account::Test;
use List::Util qw(max min sum0);
use Time::HiRes qw(time sleep);

my $ROUNDS = $ENV{ACCOUNT_LONG} ? 10 : 2;
my $BEFORE = 2;      # seconds of load before the kill
my $DOWN = 1;        # seconds without a server
my $AFTER = 3.5;     # seconds of load after it accepts connections again
my $HEALED = 2;      # seconds from then on until all is normal

my $password = canary('Sesame-down-1');
my $unavailable = '{"status":1,"msg":"服务端异常"}';

sub user_in { my ($r) = @_; return (ref $r->{json} eq 'HASH' && $r->{json}{data} || {})->{username} }

# Whether it is what a server without its database has to say.
sub is_unavailable {
    my ($r) = @_;
    return $r->{status} == 503 && $r->{text} eq $unavailable && ($r->{headers}{'retry-after'} || [''])->[0] =~ /\A[1-9]\d*\z/
        && !$r->{headers}{'set-cookie'};
}

sub short { my ($r) = @_; return join ' ', $r->{status}, $r->{error} // substr $r->{text}, 0, 120 }

sub register {
    my ($server, $name, $secret) = @_;
    return $server->post('/user/register.do',
        form => { username => $name, password => $secret, email => "$name\@example.com" });
}

sub login {
    my ($server, $name, $secret, $jar) = @_;
    return $server->post('/user/login.do', form => { username => $name, password => $secret }, cookie => $jar);
}

# One client for so many seconds. {requests, slowest, wrong => [texts], refusals => [when they were
# asked for], registered => [names], current: its password as acknowledged, uncertain: one asked for and not answered, secrets}
sub load {
    my ($server, $round, $i, $jar, $until) = @_;
    my %did = (requests => 0, wrong => [], registered => [], refusals => [], slowest => 0, secrets => []);
    my $own = "own-$i";
    my $current = "Sesame-own-$i-0";
    my $number = 0;
    my $asked = sub {
        my ($what, $r, $right) = @_;
        $did{requests}++;
        $did{slowest} = max($did{slowest}, $r->{seconds});
        return 1 if $right;
        if (is_unavailable($r)) { push @{ $did{refusals} }, time - $r->{seconds} }
        else                    { push @{ $did{wrong} }, "$what: " . short($r) }
        return 0;
    };
    $current = $did{current} = slurp("$server->{dir}/own-$i") || $current;
    while (time < $until) {
        my $r = $server->get('/user/get_user_info.do', cookie => $jar);
        $asked->('a session', $r, $r->{status} == 200 && (user_in($r) // '') eq 'steady');
        if ($i % 4 == 1) {
            my $name = sprintf 'new-%d-%d-%d', $round, $i, ++$number;
            $r = register($server, $name, $password);
            push @{ $did{registered} }, $name
                if $asked->('a registration', $r, $r->{status} == 200 && $r->{text} eq '{"status":0,"msg":"注册成功"}');
        }
        elsif ($i % 4 == 2) {
            $r = login($server, 'steady', $password, Account::Jar->new);
            $asked->('a login', $r, $r->{status} == 200 && (user_in($r) // '') eq 'steady');
            $r = login($server, 'steady', "wrong$password", undef);
            $asked->('a wrong password', $r, $r->{text} eq '{"status":1,"msg":"密码错误"}');
        }
        elsif ($i % 4 == 3) {
            my $mine = Account::Jar->new;
            push @{ $did{secrets} }, my $next = "Sesame-own-$i-$round-" . ++$number;
            $r = login($server, $own, $current, $mine);
            if ($asked->('an own login', $r, $r->{status} == 200 && (user_in($r) // '') eq $own)) {
                $r = $server->post('/user/reset_password.do', cookie => $mine,
                    form => { passwordOld => $current, passwordNew => $next });
                if ($asked->('a change', $r, $r->{text} eq '{"status":0,"msg":"修改密码成功"}')) { $current = $next }
                else { $did{uncertain} = $next; last }      # it may have happened: another would be a guess
            }
        }
        sleep($i % 4 == 3 ? 0.1 : 0.02);
    }
    $did{current} = $current;
    return \%did;
}

# Starts it, and returns the moment from which on it accepts connections.
sub start_again {
    my ($mariadb) = @_;
    $mariadb->start;
    return time;
}

# Accounts without what they are found by, and the reverse.
sub half_made {
    my ($server) = @_;
    return $server->sql('SELECT (SELECT COUNT(*) FROM account a WHERE (SELECT COUNT(*) FROM account_identifier i WHERE i.account = a.id)'
        . ' <> 2) + (SELECT COUNT(*) FROM account_identifier i WHERE NOT EXISTS (SELECT * FROM account a WHERE a.id = i.account))'
        . ' + (SELECT COUNT(*) FROM account_session s WHERE NOT EXISTS (SELECT * FROM account a WHERE a.id = s.account))');
}

sub killed_under_load {
    my ($server, $mpm) = @_;
    my $mariadb = $server->{mariadb};
    my $jar = Account::Jar->new;
    my (@registered, @refusals);
    my %total = (requests => 0, slowest => 0);
    my $httpd = $server->pid;
    register($server, 'steady', $password);
    register($server, "own-$_", canary("Sesame-own-$_-0")) for 0 .. 7;
    login($server, 'steady', $password, $jar);
    is(user_in($server->get('/user/get_user_info.do', cookie => $jar)), 'steady', "$mpm: a session");

    for my $round (1 .. $ROUNDS) {
        my $until = time + $BEFORE + $DOWN + 1 + $AFTER;
        my $wait = background(8, sub { load($server, $round, $_[0], $jar, $until) });
        sleep $BEFORE;
        $mariadb->kill9;
        my $killed = time;
        sleep $DOWN;
        my $accepts = start_again($mariadb);
        my @did = $wait->();
        canary($_) for map { @{ $_->{secrets} } } @did;
        my @late = grep { $_ > $accepts + $HEALED } map { @{ $_->{refusals} } } @did;
        my $healed = max(0, map { $_ - $accepts } map { @{ $_->{refusals} } } @did);
        my @wrong = map { @{ $_->{wrong} } } @did;
        ok(!@wrong, "$mpm, kill $round: every answer right, or 503") or diag(join "\n", grep { defined } @wrong[ 0 .. 9 ]);
        cmp_ok(scalar(map { @{ $_->{refusals} } } @did), '>', 0, "$mpm, kill $round: it was noticed");
        ok(!@late, "$mpm, kill $round: normal $HEALED s after MariaDB accepts connections")
            or diag(sprintf '%d later refusals, the last after %.2f s', scalar @late, $healed);
        cmp_ok(max(map { $_->{slowest} } @did), '<', 3, "$mpm, kill $round: nobody waited 3 s");
        push @registered, map { @{ $_->{registered} } } @did;
        diag(sprintf '%s, kill %d: %d requests, %d refused, last refusal %.2f s after MariaDB was back (down %.2f s), '
            . 'slowest answer %.2f s', $mpm, $round, sum0(map { $_->{requests} } @did), scalar(map { @{ $_->{refusals} } } @did),
            $healed, $accepts - $killed, max(map { $_->{slowest} } @did));
        for my $i (3, 7) {
            my @known = grep { defined } @{ $did[$i] }{qw(current uncertain)};
            my @works = grep { (user_in(login($server, "own-$i", $_, Account::Jar->new)) // '') eq "own-$i" } @known;
            is(scalar @works, 1, "$mpm, kill $round: own-$i has the password that was acknowledged")
                or diag("known: @known, works: @works");
            spew("$server->{dir}/own-$i", $works[0] // '');
        }
    }
    is($server->pid, $httpd, "$mpm: the same httpd");
    my @lost = grep { (user_in(login($server, $_, $password, Account::Jar->new)) // '') ne $_ } @registered;
    ok(!@lost, "$mpm: " . 'every acknowledged registration is there') or diag("@lost");
    cmp_ok(scalar @registered, '>', 20, "$mpm: of many");
    diag("$mpm: " . @registered . ' acknowledged registrations, ' . @lost . ' lost');
    is(half_made($server), 0, "$mpm: nothing half-made");
}

sub killed_idle_connections {
    my ($server, $mpm) = @_;
    my $jar = Account::Jar->new;
    login($server, 'steady', $password, $jar);
    my (%seen, $killed);
    for (1 .. 10) {
        my @ids = grep { length } $server->{mariadb}->sql("SELECT id FROM information_schema.processlist WHERE user = 'account'");
        $killed += @ids;
        $server->{mariadb}->sql(join ';', map { "KILL CONNECTION $_" } @ids) if @ids;
        $seen{ short($_) }++ for grep { $_->{status} != 200 || (user_in($_) // '') ne 'steady' }
            map { $server->get('/user/get_user_info.do', cookie => $jar) } 1 .. 20;
    }
    is_deeply(\%seen, {}, "$mpm: reads do not notice killed idle connections");
    cmp_ok($killed, '>', 10, "$mpm: many were killed");
    is(login($server, 'steady', $password)->{status}, 200, "$mpm: nor does a login");
}

sub started_without {
    my ($server, $mpm) = @_;
    my $mariadb = $server->{mariadb};
    my $jar = Account::Jar->new;
    login($server, 'steady', $password, $jar);
    $server->stop;
    $mariadb->kill9;
    my $start = time;
    $server->start;
    cmp_ok(time - $start, '<', 5, "$mpm: starts without its database");
    my @r = map { $server->get('/user/get_user_info.do', cookie => $jar), login($server, 'steady', $password) } 1 .. 10;
    is(scalar(grep { is_unavailable($_) } @r), 20, "$mpm: 503 to all") or diag(short($r[0]));
    cmp_ok(max(map { $_->{seconds} } @r), '<', 3, "$mpm: soon");
    is($server->get('/static.txt')->{status}, 200, "$mpm: a static file");
    my $accepts = start_again($mariadb);
    ok(wait_until(5, sub { my $r = $server->get('/user/get_user_info.do', cookie => $jar); (user_in($r) // '') eq 'steady' }),
        "$mpm: heals");
    diag(sprintf '%s: started while it was down: first right answer %.2f s after MariaDB was there', $mpm, time - $accepts);
    cmp_ok(time - $accepts, '<', $HEALED, "$mpm: within $HEALED s");
    # each child of prefork finds out for itself: the bound holds for all of them
    sleep(max(0, $accepts + $HEALED - time));
    is(user_in(login($server, 'steady', $password)), 'steady', "$mpm: logins too");
}

for my $mpm (qw(event prefork)) {
    my $server = Account::Server->new(sql_counts => 1, mpm => $mpm, db => 'mysql', mariadb => Account::MariaDB->new->start,
        loglevel => 'info', conf => $mpm eq 'prefork' ? "StartServers 16\nMinSpareServers 12\nMaxSpareServers 32\n" : '')->start;
    killed_under_load($server, $mpm);
    killed_idle_connections($server, $mpm);
    started_without($server, $mpm);
    $server->stop;
    $server->{mariadb}->stop;
}
done();
