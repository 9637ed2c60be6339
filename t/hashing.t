# Password hashing at its real price: how it is stored, what a flood of logins does, and that time tells nothing.
# matrix: once
# alone
use lib 't/lib';
use Account::Race qw(race background);
use Account::Test;
use List::Util qw(max sum0);
use Time::HiRes qw(time sleep);

my $COST = 'm=19456,t=2,p=1';
my $MEGABYTE = 1024;    # kB in /proc/*/status

my $password = canary('Sesame-hashing-1');
my $unavailable = '{"status":1,"msg":"服务端异常"}';

# Few workers: 16, so 4 may wait for two slots.
my $server = Account::Server->new(unlimited => 1, hash => 'argon2id m=19456 t=2 p=1', loglevel => 'info',
    conf => "StartServers 2\nServerLimit 2\nThreadsPerChild 24\nMinSpareThreads 1\nMaxSpareThreads 48\nMaxRequestWorkers 48\n"
        . "AccountHashSlots 2\n")->start;

sub register { my ($name) = @_; return $server->post('/user/register.do',
    form => { username => $name, password => $password, email => "$name\@example.com" }) }
sub login_request { my ($name, $secret) = @_; return [ POST => '/user/login.do', form => { username => $name, password => $secret } ] }
sub login { my ($name, $secret) = @_; my ($method, $path, %opt) = @{ login_request($name, $secret // $password) };
    return $server->request($method, $path, %opt) }
sub is_in { my ($r) = @_; return $r->{status} == 200 && ($r->{json}{status} // -1) == 0 }
sub is_refused {
    my ($r) = @_;
    return $r->{status} == 503 && $r->{text} eq $unavailable && ($r->{headers}{'retry-after'} || [''])->[0] =~ /\A[1-9]\d*\z/;
}
sub stored { my ($name) = @_; return $server->sql("SELECT password FROM account WHERE user_name = '$name'") }
sub short { my ($r) = @_; return join ' ', $r->{status}, $r->{error} // substr $r->{text}, 0, 80 }
sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ $#sorted / 2 ] }

# The memory of all children, in MB.
sub memory {
    return sum0(map { slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m ? $1 / $MEGABYTE : 0 } $server->child_pids);
}

# --- stored ---

is(register($_)->{text}, '{"status":0,"msg":"注册成功"}', "$_ registers") for qw(flood other);
my $format = qr/\A\$argon2id\$v=19\$\Q$COST\E\$[A-Za-z0-9+\/]{22}\$[A-Za-z0-9+\/]{43}\z/;
like(stored($_), $format, "$_: argon2id of the parameters that OWASP names") for qw(flood other);
my @salts = map { (split /\$/, stored($_))[4] } qw(flood other);
isnt($salts[0], $salts[1], 'one password, two salts');
ok(is_in(login('flood')), 'logs in');

# --- time tells nothing ---

my (%took, %text);
login('flood', "wrong$password") for 1 .. 3;
for (1 .. 40) {
    for my $case ([ wrong => 'flood', "wrong$password" ], [ unknown => 'nobody', $password ], [ 'odd name' => '@', $password ]) {
        my ($name, @login) = @$case;
        my $r = login(@login);
        push @{ $took{$name} }, $r->{seconds};
        $text{"$r->{status} $r->{text}"}++;
    }
}
is_deeply(\%text, { '200 {"status":1,"msg":"密码错误"}' => 120 }, 'wrong password, unknown user: one answer');
my %median = map { $_ => median(@{ $took{$_} }) } keys %took;
diag('medians: ' . join ', ', map { sprintf '%s %.1f ms', $_, 1000 * $median{$_} } sort keys %median);
for my $name ('unknown', 'odd name') {
    my $difference = abs($median{$name} / $median{wrong} - 1);
    cmp_ok($difference, '<', 0.3, "$name: takes as long as a wrong password");
}
cmp_ok($median{wrong}, '>', 0.01, 'and that is the time of a real hash');

# --- a flood ---

my $before = memory();
my $peak = $before;
my ($done, $busy, $slowest) = (0, 0, 0);
for my $round (1 .. 3) {
    my $static = background(1, sub {
        my ($until, @took) = time + 2.5;
        while (time < $until) {
            my $r = $server->get('/static.txt', timeout => 5);
            push @took, $r->{status} == 200 ? $r->{seconds} : 99;
            sleep 0.01;
        }
        return { median => median(@took), max => max(@took) };
    });
    my $watch = background(1, sub { my ($until, $most) = (time + 2, 0);
        while (time < $until) { $most = max($most, memory()); sleep 0.05 } return $most });
    sleep 0.2;
    my @replies = race($server->port, [ map { login_request($_ % 3 ? 'flood' : 'nobody', $password) } 1 .. 40 ]);
    my ($fetched) = $static->();
    $peak = max($peak, $watch->());
    my @strange = grep { !is_in($_) && !is_refused($_) && $_->{text} ne '{"status":1,"msg":"密码错误"}' } @replies;
    ok(!@strange, "flood $round: in, out, or 503 with Retry-After") or diag(join "\n", map { short($_) } @strange);
    my $slow = max(map { $_->{seconds} } @replies);
    cmp_ok($slow, '<', 3.5, "flood $round: all within 3.5 s");
    cmp_ok($fetched->{max}, '<', 1, "flood $round: a static file within 1 s meanwhile");
    my $refused = grep { is_refused($_) } @replies;
    $busy += $refused;
    $done += @replies - $refused;
    cmp_ok($refused, '<', 40, "flood $round: some are served");
    diag(sprintf 'flood %d: %d served, %d refused, slowest %.2f s; static: median %.1f ms, slowest %.1f ms', $round,
        @replies - $refused, $refused, $slow, 1000 * $fetched->{median}, 1000 * $fetched->{max});
}
ok(wait_until(5, sub { is_in(login('flood')) }), 'after the flood: logs in');
my $after = memory();
diag(sprintf 'memory of all children: %.1f MB before, %.1f at the peak, %.1f after', $before, $peak, $after);
cmp_ok($peak - $before, '<', 2 * 19 + 25, 'memory: two hashes at a time');
cmp_ok($after - $before, '<', 15, 'memory: given back after');

# --- a child dies while it hashes ---

my $killed = 0;
$server->{allow} = qr/exit signal Killed/;
for my $round (1 .. 6) {
    my $logins = background(4, sub { my $until = time + 0.6; my $n = 0;
        while (time < $until) { login('flood'); $n++ } return $n });
    sleep 0.3;
    for my $pid (($server->child_pids)[ $round % 2 ]) { $killed += kill 'KILL', $pid if $pid }
    $logins->();
}
is($killed, 6, 'six children killed while they hash');
ok(wait_until(10, sub { is_in(login('flood')) }), 'logins go on');
my @replies = race($server->port, [ map { login_request('flood', $password) } 1 .. 4 ]);
is(scalar(grep { is_in($_) } @replies), 4, 'four at once: no slot is lost') or diag(join "\n", map { short($_) } @replies);
my $start = time;
my $served = grep { is_in(login('flood')) } 1 .. 10;
is($served, 10, 'ten one after the other');
diag(sprintf 'ten logins one after the other: %.0f ms each', 100 * (time - $start));

# --- another price ---

my $old = stored('other');
$server->stop;
$server->{hash} = 'argon2id m=7168 t=5 p=1';
$server->write_conf->start;
is(stored('other'), $old, 'another cost: nothing happens by itself');
is(login('other', "wrong$password")->{text}, '{"status":1,"msg":"密码错误"}', 'another cost: a wrong password');
is(stored('other'), $old, 'another cost: which changes nothing');
ok(is_in(login('other')), 'another cost: the password still counts');
like(stored('other'), qr/\A\$argon2id\$v=19\$m=7168,t=5,p=1\$/, 'another cost: and was hashed again');
ok(is_in(login('other')), 'another cost: and counts once more');
$old = stored('other');
ok(is_in(login('other')) && stored('other') eq $old, 'another cost: hashed again once only');
is(login('other', "wrong$password")->{text}, '{"status":1,"msg":"密码错误"}', 'another cost: a wrong one does not');
my @at_once = race($server->port, [ map { login_request('flood', $password) } 1 .. 4 ]);
is(scalar(grep { is_in($_) } @at_once), 4, 'another cost: four at once');
like(stored('flood'), qr/\A\$argon2id\$v=19\$m=7168,t=5,p=1\$/, 'another cost: one of them hashed again');
ok(is_in(login('flood')), 'another cost: and it counts');
done();
