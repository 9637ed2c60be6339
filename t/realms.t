# matrix: db
#
# Three realms in one database, with the same names in each, and a copy of that database under another key: what proves
# something in one of them proves nothing in another. 10,000 times and more.

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use Account::Case;
use Account::Race 'background';
use IO::Socket::INET;
use MIME::Base64 'encode_base64';

my @REALMS = qw(red green blue);
my $PEOPLE = 60;      # accounts in each realm
my $THINGS = 40;      # numbers with codes, activations, captchas and devices in each

sub vhost {
    my ($name, $realm, @more) = @_;
    return join "\n", "ServerName $name.test", "AccountPublicURL http://$name.test", "AccountRealm $realm",
        'AccountMount /user mmall', 'AccountMount /phone guochuang', 'AccountMount /mobileapi/customer kalengo',
        'AccountMount /api/v1 youhaosuda', 'AccountMount / jintong', 'AccountMount /account links',
        'AccountMount /management management', "AccountSms file:\@DIR\@/$name.jsonl", "AccountMail file:\@DIR\@/$name.jsonl",
        '<Location /guarded>', 'AuthType Account', 'Require account', '</Location>', @more;
}
my $server = Account::Server->new(
    mounts => '', loglevel => 'warn',
    conf   => "MaxKeepAliveRequests 0\nKeepAliveTimeout 20\n",
    vhost  => [ map { vhost($_, $_) } @REALMS ],
    files  => { 'htdocs/guarded/page.html' => 'for accounts' },
)->start;

# --- many requests, fast: a connection each for four clients, 25 requests ahead of the replies ---

# [host, method, path, options as of Account::Client::request] -> replies, in order
sub on_one_connection {
    my (@requests) = @_;
    my ($socket, $got, @replies);
    local $SIG{PIPE} = 'IGNORE';
    while (@replies < @requests) {
        my $last = @replies + 24 < $#requests ? @replies + 24 : $#requests;
        if (!$socket) {
            $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) or die "no connection: $@\n";
            $got = '';
        }
        print $socket join '', map {
            my ($host, $method, $path, %opt) = @$_;
            $opt{headers} = { %{ $opt{headers} || {} }, Host => "$host.test", Connection => 'keep-alive' };
            Account::Client::build($server->port, $method, $path, %opt);
        } @requests[ @replies .. $last ];
        while ($socket && @replies <= $last) {
            my $head;
            until (($head = 4 + index $got, "\r\n\r\n") > 3) {
                sysread $socket, $got, 65536, length $got or die "the connection ended: $got\n";
            }
            my ($length) = substr($got, 0, $head) =~ /^Content-Length: (\d+)/mi or die "a reply without its length: $got\n";
            while (length $got < $head + $length) { sysread $socket, $got, 65536, length $got or die "the reply ended: $got\n" }
            my $reply = Account::Client::parse($requests[@replies][1], substr $got, 0, $head + $length, '');
            undef $socket if grep { lc eq 'close' } @{ $reply->{headers}{connection} || [] };    # and the rest once more
            push @replies, { %$reply{qw(status text json cookies)} };
        }
    }
    return @replies;
}

sub ask_all {
    my (@requests) = @_;
    my $clients = 4;
    my @mine = map { my $client = $_; [ grep { $_ % $clients == $client } 0 .. $#requests ] } 0 .. $clients - 1;
    my @parts = background($clients, sub { [ on_one_connection(@requests[ @{ $mine[ $_[0] ] } ]) ] }, 200)->();
    my @replies;
    for my $client (0 .. $clients - 1) {
        @replies[ @{ $mine[$client] } ] = @{ $parts[$client] };
    }
    return @replies;
}

sub said { my ($r) = @_; return "$r->{status} $r->{text}" . ($r->{cookies}{account_device} ? ' a new device' : '') }

# Each of [what, expected, request ...] is answered so. Returns the replies.
sub all_are {
    my ($name, @asked) = @_;
    my @replies = ask_all(map { my (undef, undef, @request) = @$_; \@request } @asked);
    my (%count, @wrong);
    for my $i (0 .. $#asked) {
        my ($what, $expected, $host, $method, $path) = @{ $asked[$i] };
        $count{$what}++;
        push @wrong, "$what: $host $method $path: " . said($replies[$i]) if said($replies[$i]) !~ $expected;
    }
    ok(@asked && !@wrong, "$name: " . join ', ', map { "$count{$_} $_" } sort keys %count)
        or diag(scalar(@wrong) . " wrong:\n", join "\n", @wrong > 5 ? @wrong[ 0 .. 4 ] : @wrong);
    return @replies;
}

# --- what the realms have ---

my (%password, %answer);
for my $realm (@REALMS) {
    $password{$realm} = canary("Sesame-$realm-1");
    $answer{$realm}   = canary("Answer-$realm-1");
}
sub person { my ($n) = @_; return "person$n" }
sub email  { my ($n) = @_; return "person$n\@example.com" }
sub number { my ($n) = @_; return sprintf '139%08d', 50_000_000 + $n }

# Looked for in logs: of a few that is enough, and all of them would take longer than the replays.
sub kept { my ($n, $secret) = @_; return $n < 3 ? canary($secret) : $secret }

# A list for each realm and number.
sub everywhere {
    my ($numbers, $sub) = @_;
    return map { my $realm = $_; map { $sub->($realm, $_) } @$numbers } @REALMS;
}
my @people = 0 .. $PEOPLE - 1;
my @things = 0 .. $THINGS - 1;

all_are('registers', everywhere(\@people, sub { my ($realm, $n) = @_;
    return [ account => qr/注册成功/, $realm => POST => '/user/register.do', form => { username => person($n),
        email => email($n), password => $password{$realm}, question => 'pet', answer => $answer{$realm} } ] }));
is($server->sql('SELECT COUNT(*), COUNT(DISTINCT id) FROM account'), join("\t", (3 * $PEOPLE) x 2), 'the same names are other accounts');
$server->sql("UPDATE account SET role = 'admin' WHERE user_name = 'person0'");

my (%session, %device);    # realm => n => value
my @at = everywhere(\@people, sub { [@_] });
my @replies = all_are('logs in', map { my ($realm, $n) = @$_;
    [ account => qr/登录成功/, $realm => POST => '/user/login.do', form => { username => person($n), password => $password{$realm} } ] } @at);
for (@at) {
    my ($realm, $n) = @$_;
    my $cookies = (shift @replies)->{cookies};
    $session{$realm}{$n} = kept($n, $cookies->{mmall_login_token}{value});
    $device{$realm}{$n}  = kept($n, $cookies->{account_device}{value});
}
all_are('a password of another realm', map { my ($realm, $n) = @$_; map {
    [ password => qr/密码错误/, $realm => POST => '/user/login.do', form => { username => person($n), password => $password{$_} } ]
} grep { $_ ne $realm } @REALMS } everywhere([ 0 .. 9 ], sub { [@_] }));

# Tokens of answers for even people, mailed ones for odd.
my (%token, %link, %activation, %code, %captcha);
@at = everywhere([ grep { $_ % 2 == 0 } @people ], sub { [@_] });
@replies = all_are('answers', map { my ($realm, $n) = @$_;
    [ answer => qr/"status":0/, $realm => POST => '/user/forget_check_answer.do',
        form => { username => person($n), question => 'pet', answer => $answer{$realm} } ] } @at);
$token{ $_->[0] }{ $_->[1] } = kept($_->[1], (shift @replies)->{json}{data}) for @at;
all_are('asks for a link', everywhere([ grep { $_ % 2 } @people ], sub { my ($realm, $n) = @_;
    return [ mail => qr/Request has sent/, $realm => POST => '/mobileapi/customer/forgotpwd', form => { email => email($n) } ] }));
all_are('registers by mail', everywhere(\@things, sub { my ($realm, $n) = @_;
    return [ mail => qr/"code":200/, $realm => POST => '/api/v1/account/register_with_email',
        form => { account => "new$n\@example.com", password => $password{$realm}, password_again => $password{$realm} } ] }));
all_are('asks for a code', everywhere(\@things, sub { my ($realm, $n) = @_;
    return [ code => qr/注意接收短信/, $realm => GET => '/phone/registerPhone/' . number($n) ] }));
@at = everywhere(\@things, sub { [@_] });
@replies = all_are('a captcha', map { [ captcha => qr/"code":200/, $_->[0] => GET => '/api/v1/captcha' ] } @at);
for (@at) {
    my ($realm, $n) = @$_;
    my $id = (shift @replies)->{json}{id};
    $captcha{$realm}{$n} = [ $id, Account::Case::captcha_text($server, $realm, $id) ];
}

my $wanted = $PEOPLE / 2 + 2 * $THINGS;
for my $realm (@REALMS) {
    my @messages;
    my $file = $server->dir . "/$realm.jsonl";
    wait_until(60, sub { @messages = map { JSON::PP->new->utf8->decode($_) } slurp($file) =~ /^(.+)\n/mg; @messages >= $wanted });
    is(scalar(@messages), $wanted, "$realm: messages");
    for (@messages) {
        my ($n) = $_->{to} =~ /\A(?:person|new)(\d+)\@|\A139500*(\d+)\z/ ? $1 // $2 : die "a message to $_->{to}\n";
        $n = substr($_->{to}, 3) - 50_000_000 if $_->{to} !~ /\@/;
        if ($_->{code}) { $code{$realm}{$n} = kept($n, $_->{code}) }
        else {
            my ($token) = $_->{link} =~ m{\Ahttp://$realm\.test/account/.*token=([^&]+)\z} or die "a link $_->{link}\n";
            ($_->{to} =~ /\Anew/ ? \%activation : \%link)->{$realm}{$n} = kept($n, $token);
        }
    }
}

# --- the copy: all rows of the database, but under another key ---

$server->stop;
my $dir = $server->dir;
spew("$dir/other.key", encode_base64(join('', map { chr int rand 256 } 1 .. 48), '') . "\n", 0600);
my $database;
if ($server->{db} eq 'mysql') {
    my $copy = $server->{mariadb}->fresh_database;
    for ($server->sql('SHOW TABLES')) {
        # (IGNORE: no value for columns that are computed)
        $server->sql("CREATE TABLE $copy.$_ LIKE $_");
        $server->sql("INSERT IGNORE INTO $copy.$_ SELECT * FROM $_");
    }
    $server->{mariadb}->sql("UPDATE account_schema SET fingerprint = ''", $copy);
    $database = 'AccountDatabase mysql "' . $server->{mariadb}->params($copy) . '"';
}
else {
    $server->sql("VACUUM INTO '$dir/copy.db'");
    system('sqlite3', "$dir/copy.db", "UPDATE account_schema SET fingerprint = ''") == 0 or die "sqlite3 failed\n";
    $database = "AccountDatabase sqlite3 $dir/copy.db";
}
push @{ $server->{vhost} }, vhost('copy', 'red', "AccountSecretFile $dir/other.key", $database);
$server->write_conf->start;
all_are('passwords are good in the copy', map { [ account => qr/登录成功/, copy => POST => '/user/login.do',
    form => { username => person($_), password => $password{red} } ] } 0 .. 9);

# --- replays ---

# [realm, where else] of everything that one has
sub elsewhere { my ($realm) = @_; return (grep({ $_ ne $realm } @REALMS), $realm eq 'red' ? 'copy' : ()) }

sub with_session {
    my ($host, $realm, $n) = @_;
    my $value = $session{$realm}{$n};
    my ($mmall, $kalengo, $youhao) = map { "$_=$value" } qw(mmall_login_token frontend _homeland_shop_customer_session);
    my $all = join '; ', $mmall, $kalengo, $youhao, "account_session=$value";
    my %new = (password => 'Sesame-stolen-1', password_again => 'Sesame-stolen-1');
    my @status;
    push @status, map { [ session => qr/用户未登录/, $host => GET => '/user/get_user_info.do', cookie => $_ ] }
        $mmall, $kalengo, $youhao, $all;
    push @status, map { [ session => qr/not user login/, $host => GET => '/mobileapi/customer/status', cookie => $_ ] } $kalengo, $mmall, $all;
    push @status, map { [ session => qr/"customer":null/, $host => GET => '/api/v1/account/current', cookie => $_ ] } $youhao, $mmall, $all;
    push @status, map { [ guard => qr/\A401/, $host => GET => '/guarded/page.html', cookie => $_ ] } $mmall, $all;
    return (@status,
        [ session => qr/用户未登录/, $host => POST => '/user/update_information.do', cookie => $all, form => { question => 'stolen' } ],
        [ session => qr/用户未登录/, $host => POST => '/user/reset_password.do', cookie => $all,
            form => { passwordOld => $password{$realm}, passwordNew => $new{password} } ],
        [ session => qr/not user login/, $host => POST => '/mobileapi/customer/updateAccount', cookie => $all, form => { firstname => 'Stolen' } ],
        [ session => qr/not user login/, $host => GET => '/mobileapi/customer/getAccountInfo', cookie => $all ],
        [ session => qr/"code":212/, $host => POST => '/api/v1/account/save', cookie => $all, form => { real_name => 'Stolen' } ],
        [ session => qr/"code":212/, $host => POST => '/api/v1/account/change_password', cookie => $all,
            form => { %new, password_old => $password{$realm} } ],
        [ session => qr/"code":212/, $host => GET => '/api/v1/account/reward_point_details', cookie => $all ],
        [ session => qr/\A401/, $host => POST => '/management/role', cookie => $all, json => { account => person(1), role => 'admin' } ],
        [ session => qr/\A401/, $host => POST => '/management/disable', cookie => $all, json => { account => person(1) } ],
        # says OK to everybody; whether it ended anything is seen below
        [ logout => qr/退出成功/, $host => POST => '/user/logout.do', cookie => $all ]);
}

sub with_token {
    my ($host, $realm, $n) = @_;
    return map { [ token => qr/"status":1,"msg":"token/, $host => POST => '/user/forget_reset_password.do',
        form => { username => $_, passwordNew => 'Sesame-stolen-2', forgetToken => $token{$realm}{$n} } ] } person($n), email($n);
}

sub with_link {
    my ($host, $token) = @_;
    return ([ link => qr/\A410/, $host => POST => '/account/activate', form => { token => $token } ],
        [ link => qr/\A410/, $host => POST => '/account/reset',
            form => { token => $token, password => 'Sesame-stolen-3', password_again => 'Sesame-stolen-3' } ]);
}

sub with_code {
    my ($host, $realm, $n) = @_;
    return () if ($code{$host} || {})->{$n} && $code{$host}{$n} eq $code{$realm}{$n};    # one in a million
    my $wrong = number($n);
    my $value = $code{$realm}{$n};
    return ([ code => qr/\A403 .*failure/, $host => POST => "/phone/registerPhone/$wrong", form => { identifying_code => $value } ],
        [ code => qr/\A4\d\d .*验证码/, $host => POST => "/phone/loginPhone/$wrong", form => { identifying_code => $value } ],
        [ code => qr/"320\d"/, $host => POST => '/i/resetpwd',
            json => { username => $wrong, password => encode_base64('Sesame-stolen-4', ''), code => encode_base64($value, '') } ],
        [ code => qr/"code":201/, $host => POST => '/api/v1/account/reset_password_with_mobile',
            form => { account => $wrong, password => 'Sesame-stolen-5', password_again => 'Sesame-stolen-5', verify_code => $value } ]);
}

sub with_captcha {
    my ($host, $realm, $n, $offset) = @_;
    my ($id, $text) = @{ $captcha{$realm}{$n} };
    my $mobile = sprintf '138%08d', 1000 * $offset + $n;
    return ([ captcha => qr/"code":214/, $host => POST => '/api/v1/account/send_regist_validate_sms',
            form => { mobile => $mobile, captcha_id => $id, captcha_value => $text } ],
        [ captcha => qr/"code":214/, $host => POST => '/api/v1/account/reset_password_with_email',
            form => { email => email($n), captcha_id => $id, captcha_value => $text } ]);
}

sub with_device {
    my ($host, $realm, $n) = @_;
    return [ device => qr/登录成功.* a new device\z/s, $host => POST => '/user/login.do', cookie => "account_device=$device{$realm}{$n}",
        form => { username => person($n), password => $password{ $host eq 'copy' ? 'red' : $host } } ];
}

my @replays;
for my $realm (@REALMS) {
    for my $host (elsewhere($realm)) {
        push @replays, map { with_session($host, $realm, $_) } @people;
        push @replays, map { with_token($host, $realm, $_) } sort keys %{ $token{$realm} };
        push @replays, map { with_link($host, $link{$realm}{$_}) } sort keys %{ $link{$realm} };
        push @replays, map { with_link($host, $activation{$realm}{$_}) } sort keys %{ $activation{$realm} };
        push @replays, map { (with_code($host, $realm, $_), with_captcha($host, $realm, $_, 0), with_device($host, $realm, $_)) } @things;
    }
}
my $count = grep { $_->[0] ne 'logout' } @replays;
cmp_ok($count, '>=', 10_000, 'replays, without those of logout');
all_are('worth nothing elsewhere', @replays);

# --- and each in its own realm, where it has lost nothing by that ---

is($server->sql("SELECT COUNT(*) FROM account WHERE role = 'admin'"), 3, 'nobody has become an administrator');
all_are('good at home', everywhere(\@people, sub { my ($realm, $n) = @_; my $name = person($n);
    my %cookie = (cookie => "mmall_login_token=$session{$realm}{$n}");
    return ([ session => qr/"status":0.*"username":"$name"/, $realm => GET => '/user/get_user_info.do', %cookie ],
        [ guard => qr/\A200 for accounts/, $realm => GET => '/guarded/page.html', %cookie ]) }));
all_are('good at home', map { [ admin => qr/"ok":true/, $_ => POST => '/management/role', cookie => "mmall_login_token=$session{$_}{0}",
    json => { account => person(1), role => 'vip_user' } ] } @REALMS);
all_are('good at home', everywhere(\@things, sub { my ($realm, $n) = @_;
    return ([ code => qr/register successful/, $realm => POST => '/phone/registerPhone/' . number($n),
            form => { identifying_code => $code{$realm}{$n} } ],
        [ captcha => qr/"code":200/, $realm => POST => '/api/v1/account/send_regist_validate_sms', form => {
            mobile => sprintf('138%08d', 5000 + $n), captcha_id => $captcha{$realm}{$n}[0], captcha_value => $captcha{$realm}{$n}[1] } ],
        [ activation => qr/\A200/, $realm => POST => '/account/activate', form => { token => $activation{$realm}{$n} } ],
        [ device => qr/登录成功(?!.* a new device)/s, $realm => POST => '/user/login.do',
            cookie => "account_device=$device{$realm}{$n}", form => { username => person($n), password => $password{$realm} } ]) }));
all_are('good at home', map({ my $realm = $_; map({ [ token => qr/修改密码成功/, $realm => POST => '/user/forget_reset_password.do',
        form => { username => person($_), passwordNew => "Sesame-$realm-2", forgetToken => $token{$realm}{$_} } ] } sort keys %{ $token{$realm} }),
    map({ [ link => qr/\A200/, $realm => POST => '/account/reset', form => { token => $link{$realm}{$_},
        password => "Sesame-$realm-2", password_again => "Sesame-$realm-2" } ] } sort keys %{ $link{$realm} }) } @REALMS));

# A realm's accounts are its own: what is done to one is not done to its namesake.
all_are('the copy has none of that', map { [ account => qr/登录成功/, copy => POST => '/user/login.do',
    form => { username => person($_), password => $password{red} } ] } 0 .. 9);
all_are('each realm has its own', everywhere([ 0 .. 9 ], sub { my ($realm, $n) = @_;
    return ([ old => qr/密码错误/, $realm => POST => '/user/login.do', form => { username => person($n), password => $password{$realm} } ],
        [ new => qr/登录成功/, $realm => POST => '/user/login.do', form => { username => person($n), password => "Sesame-$realm-2" } ]) }));
done();
