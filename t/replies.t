# What is around a reply: its type, what a browser may do with it, the cookies of sessions and devices.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;

my $contract = <<'END';
<AccountContract c>
    AccountReply ok 200 '{"ok": true}'
    AccountReply *  400 '{"error": "%{outcome}"}'
    <AccountRoute open GET /open>
        AccountAction open_link
        AccountParam  token token
        AccountPage   ok 200 reset
        AccountPage   *  410 expired
    </AccountRoute>
    <AccountRoute captcha GET /captcha>
        AccountAction captcha
        AccountReply  ok 200 '{"id": "%{captcha.id}"}'
    </AccountRoute>
    <AccountRoute picture GET /captcha/{id}>
        AccountAction captcha_image
        AccountParam  captcha_id id
    </AccountRoute>
    <AccountRoute send POST /send>
        AccountAction send_code
        AccountSet    purpose any
        AccountParam  target to is=mobile
    </AccountRoute>
</AccountContract>
END
my $log = qq(LogFormat "%U|%{Cookie}i" cookies\nCustomLog "\@DIR\@/logs/cookies_log" cookies\n);

sub server {
    my (%opt) = @_;
    return Account::Server->new(%opt, mounts => $contract . $opt{mounts}, conf => $log . $opt{conf})->start;
}

sub headers {    # those of a reply that have these names, each once
    my ($r, @names) = @_;
    return { map { $_ => join ' / ', @{ $r->{headers}{$_} || ['none'] } } @names };
}
my @policy = qw(content-type cache-control x-content-type-options cross-origin-resource-policy referrer-policy
    content-security-policy x-frame-options);

# --- for programs, for people, for eyes ---

my $server = server(mounts => "AccountMount /user mmall\nAccountMount /c c\n", conf => "AccountSms file:\@DIR\@/sms.jsonl\n");
my %program = ('cache-control' => 'no-store', 'x-content-type-options' => 'nosniff', 'cross-origin-resource-policy' => 'same-origin',
    'referrer-policy' => 'no-referrer', 'content-security-policy' => "default-src 'none'; frame-ancestors 'none'",
    'x-frame-options' => 'DENY');
my %page = (%program, 'content-type' => 'text/html; charset=utf-8', 'referrer-policy' => 'strict-origin',
    'content-security-policy' =>
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");

my $r = $server->get('/user/get_user_info.do');
is_deeply(headers($r, @policy), { %program, 'content-type' => 'application/json; charset=utf-8' }, 'the headers of JSON');

my $token = canary();
$r = $server->get('/c/open', query => { token => $token });
is($r->{status}, 200, 'a page');
is_deeply(headers($r, @policy), \%page, 'the headers of a page');
like($r->{text}, qr/<form[^>]* method="post".*\Q$token\E/si, 'the page has its token in a form');
$r = $server->get('/c/open');
is($r->{status}, 410, 'a page that refuses');
is_deeply(headers($r, @policy), \%page, 'the headers of a page that refuses');
unlike($r->{text}, qr/<form/i, 'it has no form');
$r = $server->request(HEAD => '/c/open', query => { token => $token });
is_deeply([ $r->{status}, $r->{body} ], [ 200, '' ], 'HEAD of a page has no body');
is_deeply(headers($r, @policy), \%page, 'and the same headers');
my $nasty = q("><script>alert(1)</script>);
$r = $server->get('/c/open', query => { token => $nasty });
unlike($r->{text}, qr/<script/i, 'a token can put nothing into a page');

$r = $server->get('/c/captcha');
my $id = $r->{json}{id} // '';
ok(length $id, 'a captcha') or diag($r->{text});
$r = $server->get("/c/captcha/$id");
is($r->{status}, 200, 'its picture') or diag($r->{text});
is_deeply(headers($r, @policy), { %program, 'content-type' => 'image/png' }, 'the headers of a picture');
is(substr($r->{body}, 0, 8), "\x89PNG\r\n\x1a\n", 'it is one');
is(length $r->{body}, $r->{headers}{'content-length'}[0], 'a whole one');
$r = $server->get('/c/captcha/none');
is($r->{text}, '{"error":"unknown-captcha"}', 'no picture');
is_deeply(headers($r, @policy), { %program, 'content-type' => 'application/json; charset=utf-8' }, 'is JSON');

# --- the device cookie ---

my %user = (username => 'geely', password => canary('geely-Pass-123'));
is($server->post('/user/register.do', form => { %user, email => 'geely@example.com' })->{json}{status}, 0, 'registers');
my $jar = Account::Jar->new;
$r = $server->post('/user/login.do', form => {%user}, cookie => $jar);
is($r->{json}{status}, 0, 'logs in') or diag($r->{text});
my @set = @{ $r->{headers}{'set-cookie'} || [] };
is(@set, 2, 'two cookies') or diag(join "\n", @set);
like($set[0], qr/\Ammall_login_token=[^;]+; Path=\/; HttpOnly; SameSite=Lax\z/, 'the session first, as long as the browser is open');
like($set[1], qr/\Aaccount_device=[^;]+; Path=\/; Max-Age=15552000; HttpOnly; SameSite=Lax\z/, 'the device for half a year');
my $device = canary($jar->get('account_device'));
$r = $server->post('/user/logout.do', cookie => $jar);
is(join(' ', sort keys %{ $r->{cookies} }), 'mmall_login_token', 'logging out ends the session');
is($jar->get('account_device'), $device, 'and leaves the device');
$r = $server->post('/user/login.do', form => {%user}, cookie => $jar);
is(join(' ', sort keys %{ $r->{cookies} }), 'mmall_login_token', 'a device that is known gets no other name');
my $wrong = $server->post('/user/login.do', form => { %user, password => 'geely-Pass-124' });
ok(!$wrong->{headers}{'set-cookie'}, 'a wrong password makes no device');

$jar->set(theme => 'dark');
$server->get('/static.txt', cookie => $jar);
like(slurp($server->dir . '/logs/cookies_log'), qr{^/static\.txt\|theme=dark$}m, 'neither cookie goes further, others do');

# --- what a folder mounts is seen only when somebody comes by ---

spew($server->dir . '/htdocs/lacking/.htaccess', "AccountMount c\n");
is($server->post('/lacking/open', query => { token => 'x' })->{status}, 405, 'a mount in .htaccess');
$server->stop;
no_crash_in_logs();

$server = server(mounts => "AccountMount /user mmall\n", conf => "AccountPublicURL https://shop.example\nAccountDeviceCookie my_device\n"
    . "AccountCookieRemove off\n");
spew($server->dir . '/htdocs/lacking/.htaccess', "AccountMount c\n");
is($server->post('/lacking/send', form => { to => '13800138000' })->{status}, 404, 'a mount in .htaccess that lacks a gateway is none');
like($server->logs->{error_log}, qr{AC00218: AccountMount in \S*/lacking/: the route send of the contract c sends text messages and needs AccountSms},
    'the log says what it lacks');
is($server->get('/lacking/open', query => { token => 'x' })->{status}, 404, 'one that lacks texts is none');
like($server->logs->{error_log}, qr/AC00218: .* the route open of the contract c shows pages, whose texts/, 'the log says so');

$server->post('/user/register.do', form => { %user, email => 'geely@example.com' });
$jar = Account::Jar->new;
$r = $server->post('/user/login.do', form => {%user}, cookie => $jar);
my ($named) = grep { /\Amy_device=/ } @{ $r->{headers}{'set-cookie'} || [] };
like($named, qr/; HttpOnly; SameSite=Lax; Secure\z/, 'of another name, and Secure where the site is') or diag($r->{text});
$server->get('/static.txt', headers => { Cookie => 'my_device=1; theme=dark' });
like(slurp($server->dir . '/logs/cookies_log'), qr{^/static\.txt\|my_device=1; theme=dark$}m, 'AccountCookieRemove off');
$server->stop;

$server = server(mounts => "AccountMount /user mmall\n", conf => "AccountDeviceCookie off\n");
$server->post('/user/register.do', form => { %user, email => 'geely@example.com' });
$r = $server->post('/user/login.do', form => {%user});
is(join(' ', sort keys %{ $r->{cookies} }), 'mmall_login_token', 'no device cookie');
done();
