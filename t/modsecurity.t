# Beside mod_security with the OWASP core rule set, as Debian has them, blocking at paranoia level 1: what people and
# programs ordinarily send passes, attacks do not, and secrets are in no log, the audit log included.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use MIME::Base64 'encode_base64';

my ($recommended, $setup) = ('/etc/modsecurity/modsecurity.conf-recommended', '/etc/modsecurity/crs/crs-setup.conf');
-r $_ or die "$_ is missing: apt-get install libapache2-mod-security2 modsecurity-crs\n" for $recommended, $setup;

# README's lines for administrators, as they stand there.
my ($lines) = slurp("$ROOT/README.md") =~ /^## Beside mod_security$(.*?)^## /ms;
my @advice = ($lines // '') =~ /`(Sec[A-Z]\w+ [^`]+)`/g;
is(scalar(@advice), 3, 'README has three lines for mod_security');

my $numbers = 0;
sub guarded {
    my (%opt) = @_;
    my $conf = slurp($recommended);
    $conf =~ s/^SecRuleEngine .*/SecRuleEngine On/m or die;
    $conf =~ s{^(SecTmpDir|SecDataDir) .*}{$1 "\@DIR\@/tmp"}mg or die;
    $conf =~ s{^SecAuditLog /.*}{SecAuditLog "\@DIR\@/logs/audit_log"}m or die;
    $conf =~ s{^SecUnicodeMapFile unicode}{SecUnicodeMapFile /etc/modsecurity/unicode}m or die;
    $conf .= "Include $setup\nInclude /usr/share/modsecurity-crs/rules/*.conf\n";
    $conf .= "SecAuditEngine On\n" if $opt{audit};
    $conf .= join '', map { "$_\n" } @{ $opt{lines} || [] };
    my @mounts = map { slurp($_) =~ /\A[^\n]*(AccountMount \S+ \w+)/ ? "$1\n" : die "$_\n" } glob "$ROOT/conf/contracts/*.conf";
    # mod_security is loaded first, and then last: the order of hooks is ours to say
    my $security = Account::Server::load_module('unique_id') . 'LoadModule security2_module '
        . Account::Server::apxs('LIBEXECDIR') . "/mod_security2.so\n";
    my $server = Account::Server->new(mounts => join('', $opt{first} ? '' : $security, @mounts), modules => [],
        conf => "AccountPublicURL http://shop.example\nAccountMail file:\@DIR\@/mail\nAccountSms file:\@DIR\@/sms\n$conf\n"
            . ($opt{conf} // ''));
    if ($opt{first}) {
        my $text = slurp($server->dir . '/httpd.conf');
        $text =~ s/^(LoadModule account_module)/$security$1/m or die;
        spew($server->dir . '/httpd.conf', $text);
    }
    return $server->start;
}

my %browser = (Host => 'shop.example', 'User-Agent' => 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
    Accept => 'application/json, text/plain, */*', 'Accept-Language' => 'zh-CN,zh;q=0.8,en;q=0.5', Origin => 'http://shop.example',
    Referer => 'http://shop.example/signin.html', 'Sec-Fetch-Site' => 'same-origin', 'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Dest' => 'empty');
my %program = (Host => 'shop.example', 'User-Agent' => 'okhttp/4.12.0', Accept => undef);
my %alone = (Host => 'shop.example', 'User-Agent' => undef, Accept => undef, Connection => 'close');

my $password = canary('Sesame-walls-1');
my $other = canary('Sesame-walls-2');
sub b64 { return encode_base64($_[0], '') }

# What the contracts are for: [contract, method, path, fields]. {n} is another number each time.
my @ordinary = (
    [ mmall => 'POST', '/user/register.do', { username => 'geely{n}', password => $password, email => 'geely{n}@example.com',
        phone => '13812345678', question => '您的出生地是哪里？', answer => canary('上海市徐汇区') } ],
    [ mmall => 'POST', '/user/login.do', { username => 'geely{n}', password => $password } ],
    [ mmall => 'POST', '/user/check_valid.do', { str => 'geely@example.com', type => 'email' } ],
    [ mmall => 'POST', '/user/get_user_info.do', {} ],
    [ mmall => 'POST', '/user/forget_get_question.do', { username => 'geely{n}' } ],
    [ mmall => 'POST', '/user/forget_check_answer.do', { username => 'geely{n}', question => '您的出生地是哪里？', answer => '上海市徐汇区' } ],
    [ mmall => 'POST', '/user/forget_reset_password.do', { username => 'geely{n}', passwordNew => $other,
        forgetToken => '531ef4b4-9663-4e6d-9a20-fb56367446a5' } ],
    [ mmall => 'POST', '/user/reset_password.do', { passwordOld => $password, passwordNew => $other } ],
    [ mmall => 'POST', '/user/update_information.do', { email => "o'neil{n}\@example.com", phone => '+86 138-1234-5678', question => "Mother's maiden name?",
        answer => 'Smith' } ],
    [ mmall => 'POST', '/user/logout.do', {} ],
    [ guochuang => 'POST', '/user/register', { account => 'person{n}', password => $password, name => '王 小明', role => 'vip_user' } ],
    [ guochuang => 'POST', '/user/login', { account => 'person{n}', password => $password } ],
    [ guochuang => 'GET', '/user/registerPhone/13812340{n}', {} ],
    [ guochuang => 'POST', '/user/registerPhone/13812340{n}', { identifying_code => '123456' } ],
    [ guochuang => 'POST', '/user/loginPhone/13812340{n}', { identifying_code => '123456' } ],
    [ guochuang => 'POST', '/user/forgetPassword/13812340{n}', { account => 'person{n}', identifying_code => '123456', new_password => $other } ],
    [ guochuang => 'POST', '/user/logout', { user_id => 5 } ],
    [ jintong => 'POST', '/i/register', { username => '13812341{n}', password => b64($password), code => b64('123456') } ],
    [ jintong => 'POST', '/i/login', { username => '13812341{n}', password => b64($password) } ],
    [ jintong => 'POST', '/i/resetpwd', { username => '13812341{n}', password => b64($other), code => b64('123456') } ],
    [ jintong => 'POST', '/code/send', { username => '13812341{n}' } ],
    [ jintong => 'POST', '/code/send', { mobile => b64('13812342000') } ],
    [ jintong => 'POST', '/i/logout', {} ],
    [ kalengo => 'POST', '/mobileapi/customer/register', { firstname => 'José', lastname => "O'Neil-Müller", email => 'jose{n}@example.com',
        pwd => $password, default_mobile_number => '+34 600 000 000' } ],
    [ kalengo => 'POST', '/mobileapi/customer/login', { username => 'jose{n}@example.com', password => $password } ],
    [ kalengo => 'POST', '/mobileapi/customer/status', {} ],
    [ kalengo => 'POST', '/mobileapi/customer/getAccountInfo', {} ],
    [ kalengo => 'POST', '/mobileapi/customer/updateAccount', { firstname => 'Anna & Co', lastname => 'D\'Angelo', email => 'anna+shop{n}@example.com' } ],
    [ kalengo => 'POST', '/mobileapi/customer/updatePassword', { password => $password, new_password => $other } ],
    [ kalengo => 'POST', '/mobileapi/customer/forgotpwd', { email => 'jose{n}@example.com' } ],
    [ kalengo => 'POST', '/mobileapi/customer/logout', {} ],
    [ youhaosuda => 'GET', '/api/v1/account/current', {} ],
    [ youhaosuda => 'POST', '/api/v1/account/register_with_email', { account => 'you{n}@example.com', password => $password, password_again => $password } ],
    [ youhaosuda => 'POST', '/api/v1/account/register_with_user_name', { account => '小明同学{n}', password => $password, password_again => $password } ],
    [ youhaosuda => 'POST', '/api/v1/account/register_with_mobile', { account => '13812343000', verify_code => '1234', password => $password,
        password_again => $password } ],
    [ youhaosuda => 'POST', '/api/v1/account/login', { account => '小明同学{n}', password => $password } ],
    [ youhaosuda => 'POST', '/api/v1/account/save', { real_name => '王小明', sex => 'male', birthday => '1990-01-31', notify_email => 'a.b-c@mail.example.com',
        notify_phone => '13812343000', indentity_card => '11010519491231002X' } ],
    [ youhaosuda => 'POST', '/api/v1/account/change_password', { password_old => $password, password => $other, password_again => $other } ],
    [ youhaosuda => 'POST', '/api/v1/account/send_regist_validate_sms', { mobile => '13812344000' } ],
    [ youhaosuda => 'POST', '/api/v1/account/send_reset_validate_sms', { mobile => '13812344000', captcha_id => 'abcdefghij', captcha_value => 'x7y2' } ],
    [ youhaosuda => 'POST', '/api/v1/account/reset_password_with_mobile', { account => '13812344000', verify_code => '1234', password => $other,
        password_again => $other } ],
    [ youhaosuda => 'POST', '/api/v1/account/reset_password_with_email', { email => 'you{n}@example.com' } ],
    [ youhaosuda => 'POST', '/api/v1/account/check_regist_mobile', { mobile => '13812344000' } ],
    [ youhaosuda => 'POST', '/api/v1/account/reward_point_details', { three_month_ago => 1, page => 2, size => 20 } ],
    [ youhaosuda => 'GET', '/api/v1/captcha', {} ],
    [ youhaosuda => 'GET', '/api/v1/captcha/abcdefghijklmnopqrstuvwxyz', {} ],
    [ youhaosuda => 'POST', '/api/v1/account/logout', {} ],
    [ links => 'GET', '/account/reset', { token => 'Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0' } ],
    [ links => 'POST', '/account/reset', { token => 'Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0', password => $other, password_again => $other } ],
    [ links => 'POST', '/account/activate', { token => 'Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0' } ],
    [ management => 'POST', '/management/role', { account => 'person1@example.com', role => 'vip_user' } ],
    [ management => 'POST', '/management/disable', { account => 'person1' } ],
);
my %methods = (mmall => ['GET'], kalengo => ['GET']);    # that take everything by GET too

# Whether mod_security refused it: its own reply is a page of httpd's, ours never is.
sub is_blocked { my ($r) = @_; return $r->{status} == 403 && $r->{text} =~ /<title>403 Forbidden/ }

sub ordinary {
    my ($server, $contract, $row, $how, $headers, $jar) = @_;
    my (undef, $method, $path, $fields) = @$row;
    $numbers++;
    my $fill = sub { my ($text) = @_; $text =~ s/\{n\}/sprintf '%03d', $numbers/e; return $text };
    my %fields = map { $_ => $fill->($fields->{$_}) } keys %$fields;
    my %way = $how eq 'json' ? (json => \%fields) : $how eq 'form' ? (form => \%fields) : %fields ? (query => \%fields) : ();
    return $server->request($how eq 'query' ? 'GET' : 'POST', $fill->($path), %way, headers => $headers, cookie => $jar);
}

sub try_all {
    my ($server, $name, $headers) = @_;
    my %blocked;
    my $count = 0;
    for my $row (@ordinary) {
        my ($contract, $method, $path) = @$row;
        for my $how ($method eq 'GET' ? 'query' : ('form', 'json', $methods{$contract} ? 'query' : ())) {
            my $jar = Account::Jar->new;
            my $r = ordinary($server, $contract, $row, $how, $headers, $jar);
            $count++;
            canary($_) for grep { length && length >= 6 } map { $jar->{$_} } keys %$jar;
            $blocked{"$how $path: $r->{status}"} = 1 if is_blocked($r) || !$r->{status} || $r->{status} >= 500;
        }
    }
    is_deeply([ sort keys %blocked ], [], "$name: all $count ordinary requests pass");
    return;
}

# --- queries are taken out before anybody: the default ---

for my $first (0, 1) {
    my $server = guarded(first => $first, audit => 1, lines => \@advice);
    my $when = $first ? 'mod_security loaded before' : 'mod_security loaded behind';
    try_all($server, "$when, a browser", \%browser);
    if (!$first) {
        try_all($server, 'an app', \%program);
        try_all($server, 'a program without headers', \%alone);
    }

    # an attack in a body
    for ([ username => q{x' UNION SELECT password FROM account-- } ], [ username => '<script>alert(document.cookie)</script>' ],
        [ username => '../../../../etc/passwd' ], [ username => '; cat /etc/passwd' ]) {
        my ($field, $attack) = @$_;
        for my $how (qw(form json)) {
            my $r = $server->post('/user/login.do', $how => { $field => $attack, password => $password }, headers => \%browser);
            ok(is_blocked($r), "$when: blocked in a $how: $attack") or diag("$r->{status} $r->{text}");
            is_deeply($r->{headers}{'cache-control'}, ['no-store'], 'by a reply with our headers');
        }
    }
    # passwords are no attacks, whatever they look like
    my $r = $server->post('/user/login.do', form => { username => 'nobody', password => canary(q{' OR 1=1 UNION SELECT 1,2 FROM x-- <script>alert(1)</script>}) },
        headers => \%browser);
    ok(!is_blocked($r), "$when: a password may look like an attack") or diag($r->{text});
    $r = $server->post('/user/login.do', json => { username => 'nobody', password => canary(q{'; DROP TABLE account; <img src=x onerror=alert(1)>}) },
        headers => \%browser);
    ok(!is_blocked($r), "$when: in JSON too") or diag($r->{text});

    # the query is not seen
    $r = $server->get('/user/login.do', query => { username => canary(q{x' UNION SELECT password FROM secret_table-- }), password => canary() },
        headers => \%browser);
    ok(!is_blocked($r) && $r->{json}, "$when: an attack in a query is not seen") or diag($r->{text});
    $r = $server->get('/static.txt', query => { x => q{x' UNION SELECT password FROM somewhere_else-- } }, headers => \%browser);
    ok(is_blocked($r), 'but where it is not ours');

    $r = $server->get('/static.txt', headers => { %browser, Authorization => 'Basic ' . b64('geely:Sesame-basic-1') });
    is($r->{status}, 200, 'HTTP Basic');

    my $audit = slurp($server->dir . '/logs/audit_log');
    like($audit, qr{^POST /user/login\.do HTTP/1\.1}m, 'the audit log has the requests');
    unlike($audit, qr/Basic [A-Za-z0-9]/, 'no password of HTTP Basic');
    like($audit, qr{^GET /user/login\.do HTTP/1\.1}m, 'without a query');
    cmp_ok(scalar(() = $audit =~ /^--\w+-A--$/mg), '>', 100, 'all of them');
    like($server->error_log, qr/ModSecurity: Access denied with code 403/, 'and the error log says what was blocked');
    no_secret_in_logs();
    $server->stop;
}

# --- mod_security sees queries ---

for my $first (0, 1) {
    my $server = guarded(first => $first, lines => \@advice, conf => "AccountInspectSecrets on\n");
    my $when = $first ? 'loaded before' : 'loaded behind';
    try_all($server, "AccountInspectSecrets on, $when", \%browser);
    for my $attack (q{x' UNION SELECT password FROM account-- }, '<script>alert(document.cookie)</script>', '../../../../etc/passwd') {
        my $secret = canary();
        my $r = $server->get('/user/login.do', query => { username => $attack, password => $secret }, headers => \%browser);
        ok(is_blocked($r), "$when: blocked in a query: $attack") or diag("$r->{status} $r->{text}");
        is_deeply($r->{headers}{'cache-control'}, ['no-store'], 'by a reply with our headers');
    }
    my $r = $server->get('/user/login.do', query => { username => 'nobody', password => q{' OR 1=1-- } . canary() }, headers => \%browser);
    ok(!is_blocked($r) && $r->{json}, "$when: a password is no attack") or diag($r->{text});
    unlike($server->access_log, qr/\?|username=/, "$when: no query is in the access log");
    unlike($server->forensic_log, qr/username=/, "$when: nor in the forensic log");
    my $page = $server->get('/server-status')->{text};
    unlike($page, qr/username=/, "$when: nor on the status page");
    like(slurp($server->dir . '/logs/audit_log'), qr/UNION|username=/, "$when: the audit log has what was blocked, as README says");
    $server->stop;
}
no_crash_in_logs();
done_testing();
