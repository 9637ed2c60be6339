# A real browser, with somebody signed in, on a page of another origin that tries whatever a page can do: nothing changes.
# And the page of an origin that AccountAllowOrigin names logs in and out.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Process 'free_port';

my $PLAYWRIGHT = 'playwright-core@1.60.0';    # ./check installs the same
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
$chromium or die "chromium is missing: apt-get install chromium\n";
my $dir = temp_dir('browser');
my %home = (HOME => "$dir/home", XDG_CONFIG_HOME => "$dir/home/config", XDG_CACHE_HOME => "$dir/home/cache",
    XDG_RUNTIME_DIR => "$dir/home/run", DBUS_SESSION_BUS_ADDRESS => 'disabled:', LC_ALL => 'C.UTF-8');
mkdir $_ for "$dir/home", @home{qw(XDG_CONFIG_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR)};

# (exit status, what it said)
my $runs = 0;
sub run {
    my ($seconds, @command) = @_;
    my $output = "$dir/output." . ++$runs;
    my $run = Account::Process->spawn(command => \@command, output => $output, limit => $seconds, env => \%home);
    return ($run->wait_for($seconds + 5), slurp($output));
}

my $playwright = $ENV{ACCOUNT_PLAYWRIGHT};
if (!$playwright) {
    my ($status, $said) = run(100, 'npm', 'install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', $dir, $PLAYWRIGHT);
    is($status, 0, "npm installs $PLAYWRIGHT") or diag($said);
    $playwright = "$dir/node_modules/playwright-core";
}
like(slurp("$playwright/package.json"), qr/"version": "1\.60\.0"/, "$PLAYWRIGHT is there");
like(slurp("$ROOT/check"), qr/\Q$PLAYWRIGHT\E/, 'and it is what ./check installs');

# --- the other sites: a server of its own, under two names and two ports ---

my $listed = free_port();
my $other = Account::Server->new(account => 0, modules => [], conf => "Listen 127.0.0.1:$listed\n")->start;
spew($other->dir . "/htdocs/$_", slurp("$ROOT/t/browser/$_")) for qw(attack.html calls.html);
my $evil = $other->port;

# --- somebody who is signed in everywhere ---

my $password = canary('Sesame-browser-1');
my @shipped = map { slurp($_) =~ /\A[^\n]*(AccountMount \S+ \w+)/ ? "$1\n" : die "$_\n" } glob "$ROOT/conf/contracts/*.conf";

# The log says how a request came, and whether it brought the session: that is why the cookie is left in, and in the
# forensic log, so that it is no secret here (the other sites' logs have it anyway: a cookie goes to all ports of a host).
sub site {
    my (%opt) = @_;
    my $server = Account::Server->new(mounts => join('', @shipped), loglevel => 'info', conf => <<"END")->start;
AccountPublicURL http://127.0.0.1:\@PORT\@
AccountMail file:\@DIR\@/mail
AccountSms file:\@DIR\@/sms
AccountCookieRemove off
AccountAllowOrigin http://127.0.0.1:$listed
SetEnvIf Cookie "mmall_login_token=" brought=session
LogFormat "%m %U %>s %{Sec-Fetch-Site}i %{Sec-Fetch-Mode}i %{Sec-Fetch-Dest}i %{brought}e" how
CustomLog "\@DIR\@/logs/how_log" how
@{[ $opt{conf} // '' ]}
END
    my $shop = sub { my ($path, %form) = @_; my $r = $server->post("/user/$path.do", form => \%form); $r->{status} == 200 or die $r->{text}; return $r };
    for my $name (qw(geely victim)) {
        $shop->('register', username => $name, password => $password, email => "$name\@example.com", question => 'city', answer => 'Shanghai');
    }
    $server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'geely'");
    my $r = $shop->('login', username => 'geely', password => $password);
    $server->{cookie} = $r->{cookies}{mmall_login_token}{value};
    return $server;
}

# What a request could change; "seen" of sessions is written by reading too.
sub everything {
    my ($server) = @_;
    my @tables = (account => '*', account_identifier => '*', account_code => '*', account_limit => '*', account_point => '*',
        account_session => 'realm, digest, account, created, expires', account_message => 'realm, ref, recipient, name');
    my @rows;
    while (my ($table, $columns) = splice @tables, 0, 2) { push @rows, map { "$table\t$_" } $server->sql("SELECT $columns FROM $table") }
    return \@rows;
}

# Every route that changes something and can be asked for by a page. get: also by GET, where it might work.
my %user = (username => 'geely', password => $password);
my @targets = (
    map({ +{ path => "/user/$_->[0].do", get => 1, fields => $_->[1] } }
        [ update_information => { question => 'evil', answer => 'evil' } ], [ reset_password => { passwordOld => $password, passwordNew => 'evil-Pass-123' } ],
        [ login => { username => 'victim', password => $password } ], [ register => { %user, username => 'evilgeely', email => 'evil@example.com' } ],
        [ forget_check_answer => { username => 'geely', question => 'city', answer => 'Shanghai' } ]),
    map({ +{ path => "/mobileapi/customer/$_->[0]", get => 1, fields => $_->[1] } }
        [ updateAccount => { firstname => 'Evil', lastname => 'Twin' } ], [ updatePassword => { password => $password, new_password => 'evil-Pass-123' } ],
        [ forgotpwd => { email => 'geely@example.com' } ],
        [ register => { firstname => 'E', lastname => 'T', email => 'evil2@example.com', pwd => 'evil-Pass-123' } ]),
    { path => '/user/registerPhone/13800138000', get => 1, fields => { x => '1' } },
    { path => '/i/login', fields => { username => 'victim', password => 'U2VzYW1lLWJyb3dzZXItMQ==' } },
    { path => '/code/send', fields => { username => '13800138001' } },
    { path => '/api/v1/account/save', fields => { real_name => 'Evil', sex => 'male' } },
    { path => '/api/v1/account/send_regist_validate_sms', fields => { mobile => '13800138002' } },
    { path => '/management/disable', fields => { account => 'victim' } },
    { path => '/management/role', fields => { account => 'victim', role => 'admin' } },
    # last, for where it works nobody is signed in any more
    { path => '/i/logout', fields => { x => '1' } },
    { path => '/user/logout', fields => { user_id => '1' } },
    { path => '/mobileapi/customer/logout', get => 1, fields => { x => '1' } },
    { path => '/user/logout.do', get => 1, fields => { x => '1' } },
);

# Opens pages with the cookie of who is signed in; what their titles say.
sub browse {
    my ($server, @pages) = @_;
    my $cookie = $server->{cookie};
    my $profile = temp_dir('profile');
    my $plan = spew("$dir/plan.json", JSON::PP->new->encode({ playwright => $playwright, chromium => $chromium, profile => $profile,
        cookies => defined $cookie ? [ { name => 'mmall_login_token', value => $cookie, url => $server->url, httpOnly => \1, sameSite => 'Lax' } ] : [],
        pages => [ map { +{ url => $_, seconds => 90 } } @pages ] }), 0600);
    my ($status, $said) = run(110, 'node', "$ROOT/t/browser/drive.js", $plan);
    utf8::decode($said);
    is($status, 0, "the browser has seen @pages") or diag($said);
    return $said =~ /^done:(.*)$/mg;
}

sub attack {
    my ($server, $from, $name, @targets) = @_;
    spew($other->dir . '/htdocs/targets.js', 'const VICTIM = ' . JSON::PP->new->allow_nonref->encode($server->url) . ";\nconst TARGETS = "
        . JSON::PP->new->encode(\@targets) . ";\n");
    my $before = everything($server);
    my ($attempts) = browse($server, "$from/attack.html");
    cmp_ok($attempts // 0, '>=', 14 * @targets, "$name: attempts");
    my %before = map { $_ => 1 } @$before;
    my $after = everything($server);
    my %after = map { $_ => 1 } @$after;
    my @how = map { [split] } split /\n/, slurp($server->dir . '/logs/how_log');
    return ([ (map { "+ $_" } grep { !$before{$_} } @$after), map { "- $_" } grep { !$after{$_} } @$before ], [ grep { $_->[3] =~ /site/ } @how ]);
}

for my $case ([ 'another site', "http://localhost:$evil", 'cross-site' ], [ 'another port of this site', "http://127.0.0.1:$evil", 'same-site' ]) {
    my ($name, $from, $site) = @$case;
    my $server = site();
    my ($changes, $how) = attack($server, $from, $name, @targets);
    is_deeply($changes, [], "$name: nothing has changed");
    my %came;
    $came{"$_->[0] $_->[4] $_->[5]"}++ for grep { $_->[3] eq $site } @$how;
    cmp_ok(scalar(@$how), '>', 400, "$name: requests have come");
    ok($came{$_}, "$name: some of them as $_") or diag(explain \%came)
        for 'GET no-cors image', 'GET no-cors script', 'GET no-cors style', 'GET cors empty', 'GET no-cors empty', 'GET navigate iframe',
        'GET navigate document', 'GET no-cors video', 'GET navigate object', 'GET navigate embed', 'POST navigate document', 'POST navigate iframe',
        'POST cors empty', 'POST no-cors empty', 'OPTIONS cors empty';
    my %brought;
    $brought{"$_->[0] $_->[4] $_->[5]"}++ for grep { $_->[3] eq $site && $_->[6] eq 'session' } @$how;
    ok($brought{'GET navigate document'}, "$name: the cookie came along where somebody seemed to go there");
    if ($site eq 'same-site') {
        ok($brought{$_}, "$name: and as $_") for 'GET no-cors image', 'POST cors empty', 'POST navigate document', 'GET navigate iframe';
    }
    else {
        is_deeply([ grep { !/\A\S+ navigate document\z/ } sort keys %brought ], [], "$name: nowhere else");
    }
    is_deeply([ grep { $_->[0] ne 'OPTIONS' && $_->[2] !~ /\A(?:403|405|415)\z/ } @$how ], [], "$name: all of them were refused")
        or diag(join "\n", map { "@$_" } @$how);
    is($server->get('/user/get_user_info.do', cookie => "mmall_login_token=$server->{cookie}")->{json}{data}{username}, 'geely',
        "$name: still signed in");
    $server->stop;
}

# The same page where sibling sites are trusted: what it tries would work.
{
    my $server = site(conf => 'AccountTrustSameSite on');
    my ($changes, $how) = attack($server, "http://127.0.0.1:$evil", 'trusted', grep { $_->{path} =~ /updateAccount|registerPhone|disable/ } @targets);
    my @tables = sort keys %{ { map { /\A\+ (\w+)/ ? ($1 => 1) : () } @$changes } };
    ok((grep { $_ eq 'account' } @tables) && (grep { $_ eq 'account_message' || $_ eq 'account_code' } @tables),
        'trusted: the same attempts do change things') or diag(explain $changes);
    $server->stop;
}

# --- a listed origin logs in and out ---

# A server that listens with TLS too.
my $tls = free_port();
my ($made, $said) = run(40, qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1
    -addext subjectAltName=IP:127.0.0.1 -keyout), "$dir/tls.key", '-out', "$dir/tls.pem");
is($made, 0, 'a certificate') or diag($said);
my $with_tls = Account::Server::load_module('socache_shmcb') . Account::Server::load_module('ssl') . <<"END";
Listen 127.0.0.1:$tls
<VirtualHost 127.0.0.1:$tls>
    SSLEngine on
    SSLCertificateFile $dir/tls.pem
    SSLCertificateKeyFile $dir/tls.key
    AccountPublicURL https://127.0.0.1:$tls
    AccountSameSite None
    AccountAllowOrigin http://localhost:$listed
</VirtualHost>
END

for my $case (
    [ 'a listed origin of this site', "http://127.0.0.1:$listed", undef ],
    [ 'a listed origin of another site, with AccountSameSite None', "http://localhost:$listed", "https://127.0.0.1:$tls" ],
) {
    my ($name, $from, $url) = @$case;
    my $server = site(conf => $with_tls);
    $url //= $server->url;
    my @post = (method => 'POST', credentials => 'include');
    my $json = sub { +{ @post, headers => { 'Content-Type' => 'application/json' }, body => JSON::PP->new->encode($_[0]) } };
    my @calls = (
        [ "$url/user/get_user_info.do", { credentials => 'include' } ],
        [ "$url/user/login.do", $json->({%user}) ],
        [ "$url/user/get_user_info.do", { credentials => 'include' } ],
        [ "$url/user/update_information.do", { @post, headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }, body => 'phone=13800000000' } ],
        [ "$url/user/logout.do", {@post} ],
        [ "$url/user/get_user_info.do", { credentials => 'include' } ],
        [ "$url/user/login.do", { @post, mode => 'no-cors', body => 'x' } ],
    );
    spew($other->dir . '/htdocs/calls.js', 'const CALLS = ' . JSON::PP->new->encode(\@calls) . ";\n");
    $server->sql('DELETE FROM account_session');
    delete $server->{cookie};
    my ($said) = browse($server, "$from/calls.html");
    my $replies = JSON::PP->new->decode($said || '[]');
    my @got = map { [ $_->[0], (eval { JSON::PP->new->decode($_->[1])->{status} }) // 'none' ] } @$replies;
    is_deeply(\@got, [ [ 200, 1 ], [ 200, 0 ], [ 200, 0 ], [ 200, 0 ], [ 200, 0 ], [ 200, 1 ], [ 0, 'none' ] ],
        "$name: logs in, reads, changes, logs out") or diag($said);
    is($server->sql('SELECT COUNT(*) FROM account_session'), 0, "$name: no session is left");
    like(slurp($server->dir . '/logs/how_log'), qr{^OPTIONS /user/login\.do 204 }m, "$name: after a preflight");

    ($said) = browse($server, "http://127.0.0.1:$evil/calls.html");
    @got = map { $_->[0] } @{ JSON::PP->new->decode($said || '[]') };
    is_deeply(\@got, [ (0) x @calls ], 'the same page of an origin that is not listed reads nothing') or diag($said);
    is($server->sql('SELECT COUNT(*) FROM account_session'), 0, 'and has no session');
    $server->stop;
}
done();
