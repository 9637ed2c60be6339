# Requests that another site makes a browser send: every combination of Origin, Sec-Fetch-* and method, over every route
# of the shipped contracts that changes something. What must happen is a table of its own here; that nothing happened is
# read from the database.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Test;
use IO::Socket::INET;
use MIME::Base64 'encode_base64';

my $APP = 'https://app.example';
my $EVIL = 'https://evil.example';
my @shipped = map { m{([^/]+)\.conf\z} } sort glob "$ROOT/conf/contracts/*.conf";
my %mount = map { my ($path) = slurp("$ROOT/conf/contracts/$_.conf") =~ /AccountMount (\S+) \Q$_\E/; ($_ => $path) } @shipped;
my $server = Account::Server->new(
    mounts => join('', map { "AccountMount $mount{$_} $_\n" } @shipped),
    conf => "AccountPublicURL http://127.0.0.1:\@PORT\@\nAccountAllowOrigin $APP\nAccountMail file:\@DIR\@/mail\n"
        . "AccountSms file:\@DIR\@/sms\nMaxKeepAliveRequests 0\n", loglevel => 'info')->start;
my $port = $server->port;
my $password = canary('Sesame-cross-1');

# --- the combinations ---

my %origin = (none => undef, own => "http://127.0.0.1:$port", evil => $EVIL, null => 'null', listed => $APP);
my @sites = ('absent', 'none', 'same-origin', 'same-site', 'cross-site');
my %class = (    # Sec-Fetch-Mode, Sec-Fetch-Dest
    absent => [ undef, undef ], fetch => [ 'cors', 'empty' ], 'no-cors' => [ 'no-cors', 'empty' ], 'same-origin' => [ 'same-origin', 'empty' ],
    image => [ 'no-cors', 'image' ], script => [ 'no-cors', 'script' ], 'cors-script' => [ 'cors', 'script' ],
    page => [ 'navigate', 'document' ], frame => [ 'navigate', 'iframe' ], style => [ 'no-cors', 'style' ], download => [ 'navigate', 'empty' ],
);
my @ways = ('GET', 'form', 'json', 'text', 'HEAD', 'OPTIONS');

# The first that fits: Sec-Fetch-Site, class, Origin, way; "*" is any. May it change something?
my @verdicts = (
    [ '*', '*', '*', 'HEAD|OPTIONS', 0 ],                             # never
    [ 'same-origin', 'page', '*', 'form|json|text', 1 ],              # a form of this site
    [ 'absent', 'page', 'own|none', 'form|json|text', 1 ],            # one that does not say where it is from
    [ '*', 'page|frame|download', '*', '*', 0 ],                      # whoever goes somewhere changes nothing by that
    [ '*', 'image|script|cors-script|style', '*', '*', 0 ],           # nor does a part of a page
    [ 'same-origin|none', '*', '*', '*', 1 ],                         # a script of this site, or the browser itself
    [ 'cross-site|same-site|absent', 'fetch', 'listed', '*', 1 ],     # a script of a site that may
    [ 'cross-site|same-site', '*', '*', '*', 0 ],                     # and of all others
    [ 'absent', 'absent', 'own|none|listed', '*', 1 ],                # an older browser, or none
    [ 'absent', '*', 'own|none', '*', 1 ],
    [ '*', '*', '*', '*', 0 ],
);
sub may {
    my @case = @_;
    for my $row (@verdicts) {
        my @rule = @$row;
        my @fits = grep { my $i = $_; $rule[$i] eq '*' || grep { $_ eq $case[$i] } split /\|/, $rule[$i] } 0 .. 3;
        return $rule[4] if @fits == 4;
    }
    die "no verdict for @case\n";
}

# --- the routes ---

my $number = 0;
my %user;    # the one that the requests of this route are about

sub post_ok {
    my ($path, $form, %opt) = @_;
    my $r = $server->post($path, form => $form, %opt);
    die "$path: $r->{status} $r->{text} ", $r->{error} // '', "\n" if $r->{status} != 200;
    return $r;
}

# A new account with everything, and its session.
sub new_user {
    my (%opt) = @_;
    $number++;
    %user = (name => "person$number", email => "person$number\@example.com", mobile => sprintf('13800%06d', $number),
        new_name => "fresh$number", new_email => "fresh$number\@example.com", new_mobile => sprintf('13900%06d', $number), code => '000000',
        token => 'x' x 40);
    post_ok("$mount{mmall}/register.do", { username => $user{name}, password => $password, email => $user{email}, phone => $user{mobile},
        question => 'city', answer => 'Shanghai' });
    $user{id} = $server->sql("SELECT id FROM account WHERE user_name = '$user{name}'");
    $server->sql("UPDATE account_identifier SET verified = 1 WHERE account = $user{id}");
    $server->sql("INSERT INTO account_identifier (realm, value, account, kind, verified, created) "
        . "VALUES ('default', '$user{mobile}', $user{id}, 'mobile', 1, 1)");
    $server->sql("UPDATE account SET mobile = '$user{mobile}', mobile_verified = 1, email_verified = 1, role = '"
        . ($opt{role} // 'normal_user') . "' WHERE id = $user{id}");
    my $jar = Account::Jar->new;
    post_ok("$mount{mmall}/login.do", { username => $user{name}, password => $password }, cookie => $jar);
    $user{cookie} = $jar->header;
    return;
}

# What was sent to somebody: the whole line.
sub sent {
    my ($file, $to) = @_;
    my $line;
    wait_until(20, sub { ($line) = grep { /\Q$to\E/ } reverse split /\n/, slurp($server->dir . "/$file"); $line })
        or die "nothing was sent to $to\n";
    return $line;
}
sub want_code {
    my ($to, $path, %opt) = @_;
    my $r = $server->request($opt{method} // 'POST', $path, $opt{form} ? (form => $opt{form}) : ());
    $r->{status} == 200 or die "$path: $r->{status} $r->{text}\n";
    ($user{code}) = sent('sms', $to) =~ /\b(\d{6})\b/ or die "no code for $to\n";
    return;
}
sub want_token {
    my ($to) = @_;
    ($user{token}) = sent('mail', $to) =~ /token=([\w-]+)/ or die "no token for $to\n";
    return;
}

# Somebody is signed in elsewhere too.
sub other_session {
    my $jar = Account::Jar->new;
    post_ok("$mount{mmall}/login.do", { username => $user{name}, password => $password }, cookie => $jar);
    my ($own) = $server->get("$mount{devices}/sessions", cookie => $user{cookie})->{json}{sessions};
    ($user{other}) = map { $_->{id} } grep { !$_->{current} } @$own;
    return;
}

my ($shop, $api, $mobile) = @mount{qw(mmall youhaosuda kalengo)};
my ($phones, $codes) = ($mount{guochuang}, $mount{jintong} =~ s{/\z}{}r);
my $b64 = sub { encode_base64($_[0], '') };
my $twice = sub { (password => $_[0], password_again => $_[0]) };

# contract, route => [path, fields, what to do before]; %user is filled by then. Its methods are those of the contract.
my %routes = (
    mmall => {
        login => [ "$shop/login.do", sub { (username => $user{name}, password => $password) } ],
        register => [ "$shop/register.do", sub { (username => $user{new_name}, password => $password, email => $user{new_email}) } ],
        forget_check_answer => [ "$shop/forget_check_answer.do", sub { (username => $user{name}, question => 'city', answer => 'Shanghai') } ],
        forget_reset_password => [ "$shop/forget_reset_password.do",
            sub { (username => $user{name}, forgetToken => $user{token}, passwordNew => "$password-2") },
            sub { $user{token} = canary(post_ok("$shop/forget_check_answer.do", { username => $user{name}, question => 'city',
                answer => 'Shanghai' })->{json}{data}) } ],
        reset_password => [ "$shop/reset_password.do", sub { (passwordOld => $password, passwordNew => "$password-2") } ],
        update_information => [ "$shop/update_information.do", sub { (question => 'pet', answer => 'Goldfish') } ],
        logout => [ "$shop/logout.do", sub { () } ],
    },
    guochuang => {
        register => [ "$phones/register", sub { (account => $user{new_name}, password => $password) } ],
        login => [ "$phones/login", sub { (account => $user{name}, password => $password) } ],
        logout => [ "$phones/logout", sub { (user_id => $user{id}) } ],
        'registerPhone-send' => [ sub { "$phones/registerPhone/$user{new_mobile}" }, sub { () } ],
        registerPhone => [ sub { "$phones/registerPhone/$user{new_mobile}" }, sub { (identifying_code => $user{code}) },
            sub { want_code($user{new_mobile}, "$phones/registerPhone/$user{new_mobile}", method => 'GET') } ],
        'loginPhone-send' => [ sub { "$phones/loginPhone/$user{mobile}" }, sub { () }, sub { $user{cookie} = '' } ],
        loginPhone => [ sub { "$phones/loginPhone/$user{mobile}" }, sub { (identifying_code => $user{code}) },
            sub { want_code($user{mobile}, "$phones/loginPhone/$user{mobile}", method => 'GET') } ],
        'forgetPassword-send' => [ sub { "$phones/forgetPassword/$user{mobile}" }, sub { () } ],
        forgetPassword => [ sub { "$phones/forgetPassword/$user{mobile}" },
            sub { (account => $user{mobile}, identifying_code => $user{code}, new_password => "$password-2") },
            sub { want_code($user{mobile}, "$phones/forgetPassword/$user{mobile}", method => 'GET') } ],
    },
    jintong => {
        register => [ "$codes/i/register", sub { (username => $user{new_mobile}, password => $b64->($password), code => $b64->($user{code})) },
            sub { want_code($user{new_mobile}, "$codes/code/send", form => { username => $user{new_mobile} }) } ],
        login => [ "$codes/i/login", sub { (username => $user{mobile}, password => $b64->($password)) } ],
        logout => [ "$codes/i/logout", sub { () } ],
        resetpwd => [ "$codes/i/resetpwd", sub { (username => $user{mobile}, password => $b64->("$password-2"), code => $b64->($user{code})) },
            sub { want_code($user{mobile}, "$codes/code/send", form => { username => $user{mobile} }) } ],
        send => [ "$codes/code/send", sub { (username => $user{new_mobile}) } ],
    },
    kalengo => {
        login => [ "$mobile/login", sub { (username => $user{email}, password => $password) } ],
        register => [ "$mobile/register", sub { (firstname => 'A', lastname => 'B', email => $user{new_email}, pwd => $password) } ],
        logout => [ "$mobile/logout", sub { () } ],
        forgotpwd => [ "$mobile/forgotpwd", sub { (email => $user{email}) } ],
        updateAccount => [ "$mobile/updateAccount", sub { (firstname => 'Evil', lastname => 'Twin') } ],
        updatePassword => [ "$mobile/updatePassword", sub { (password => $password, new_password => "$password-2") } ],
    },
    youhaosuda => {
        login => [ "$api/account/login", sub { (account => $user{name}, password => $password) } ],
        logout => [ "$api/account/logout", sub { () } ],
        change_password => [ "$api/account/change_password", sub { (password_old => $password, $twice->("$password-2")) } ],
        save => [ "$api/account/save", sub { (real_name => 'Evil', sex => 'male') } ],
        register_with_email => [ "$api/account/register_with_email", sub { (account => $user{new_email}, $twice->($password)) } ],
        register_with_user_name => [ "$api/account/register_with_user_name", sub { (account => $user{new_name}, $twice->($password)) } ],
        register_with_mobile => [ "$api/account/register_with_mobile",
            sub { (account => $user{new_mobile}, verify_code => $user{code}, $twice->($password)) },
            sub { want_code($user{new_mobile}, "$api/account/send_regist_validate_sms", form => { mobile => $user{new_mobile} }) } ],
        send_regist_validate_sms => [ "$api/account/send_regist_validate_sms", sub { (mobile => $user{new_mobile}) } ],
        send_reset_validate_sms => [ "$api/account/send_reset_validate_sms", sub { (mobile => $user{mobile}) } ],
        reset_password_with_mobile => [ "$api/account/reset_password_with_mobile",
            sub { (account => $user{mobile}, verify_code => $user{code}, $twice->("$password-2")) },
            sub { want_code($user{mobile}, "$api/account/send_reset_validate_sms", form => { mobile => $user{mobile} }) } ],
        reset_password_with_email => [ "$api/account/reset_password_with_email", sub { (email => $user{email}) } ],
    },
    links => {
        activate => [ "$mount{links}/activate", sub { (token => $user{token}) },
            sub { post_ok("$api/account/register_with_email", { account => $user{new_email}, $twice->($password) });
                want_token($user{new_email}) } ],
        reset => [ "$mount{links}/reset", sub { (token => $user{token}, $twice->("$password-2")) },
            sub { post_ok("$mobile/forgotpwd", { email => $user{email} }); want_token($user{email}) } ],
    },
    devices => {
        end_by_post => [ "$mount{devices}/sessions/end", sub { (session_id => $user{other}) }, \&other_session ],
        end_others_by_post => [ "$mount{devices}/sessions/end-others", sub { () }, \&other_session ],
    },
    management => {
        role => [ "$mount{management}/role", sub { (account => 'victim', role => 'admin') } ],
        disable => [ "$mount{management}/disable", sub { (account => 'victim') } ],
        enable => [ "$mount{management}/enable", sub { (account => 'victim') },
            sub { $server->sql("UPDATE account SET status = 'disabled' WHERE user_name = 'victim'") } ],
    },
);
post_ok("$shop/register.do", { username => 'victim', password => $password, email => 'victim@example.com' });

# What reads only; all other routes of all contracts are above.
my %reads = map { $_ => 1 } qw(none current sessions check_identifier security_question points captcha captcha_image open_link);
my (%methods, %at, @missing);
for my $contract (@shipped) {
    my $text = slurp("$ROOT/conf/contracts/$contract.conf");
    while ($text =~ /<AccountRoute (\S+) (\S+) (\S+)>\n(?:\s*#[^\n]*\n)*\s*AccountAction\s+(\w+)/g) {
        my ($route, $methods, $action) = ($1, $2, $4);
        $at{"$contract $route"} = "$contract $3";
        $methods{"$contract $route"} = { map { $_ => 1 } split /\|/, $methods };
        next if $methods eq 'DELETE';    # no form and no link sends it; tried below
        push @missing, "$contract $route" if !$reads{$action} && !$routes{$contract}{$route};
    }
}
is_deeply(\@missing, [], 'every route that changes something is tried');
is_deeply([ grep { !$methods{$_} } map { my $contract = $_; map { "$contract $_" } keys %{ $routes{$contract} } } keys %routes ], [],
    'and there is none too many');

# --- many requests on one connection ---

sub message {
    my ($way, $path, $fields, $headers) = @_;
    my %method = (form => 'POST', json => 'POST', text => 'POST');
    my $method = $method{$way} // $way;
    my ($body, $type) = ('');
    if ($method eq 'POST') {
        $fields = [ x => 1 ] if !@$fields;
        ($body, $type) = $way eq 'json' ? (JSON::PP->new->utf8->encode({@$fields}), 'application/json')
            : (Account::Client::form_encode($fields), $way eq 'text' ? 'text/plain' : 'application/x-www-form-urlencoded');
    }
    elsif (@$fields) { $path .= '?' . Account::Client::form_encode($fields) }
    my @lines = ("$method $path HTTP/1.1", "Host: 127.0.0.1:$port", length $user{cookie} ? "Cookie: $user{cookie}" : (),
        (map { defined $headers->{$_} ? "$_: $headers->{$_}" : () } sort keys %$headers),
        $method eq 'POST' ? ("Content-Type: $type", 'Content-Length: ' . length $body) : ());
    return join("\r\n", @lines) . "\r\n\r\n$body";
}

# [status, body] of each, in their order. After some replies httpd closes; what was sent by then goes again.
sub exchange {
    my (@messages) = @_;    # [bytes, is HEAD]
    my @replies;
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "no answer within 60 s\n" };
    alarm 60;
    while (@replies < @messages) {
        my $first = @replies;
        my $last = $first + 39 < $#messages ? $first + 39 : $#messages;
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or die "no connection: $@\n";
        print $socket map { $_->[0] } @messages[ $first .. $last ];
        my $got = '';
        for my $message (@messages[ $first .. $last ]) {
            while ($got !~ /\r\n\r\n/) { sysread $socket, $got, 65536, length $got or last }
            $got =~ s/\A(.*?)\r\n\r\n//s or last;
            my $head = $1;
            my ($status) = $head =~ m{\AHTTP/1\.1 (\d+)} or die "no reply: $head\n";
            my $length = $message->[1] || $status == 204 ? 0 : $head =~ /^Content-Length: (\d+)/mi ? $1 : die "no length:\n$head\n";
            while (length $got < $length) { sysread $socket, $got, 65536, length $got or die "the connection ended within a body\n" }
            push @replies, [ $status, substr $got, 0, $length, '' ];
            last if $head =~ /^Connection: close/mi;
        }
        @replies > $first or die "no reply to $messages[$first][0]\n";
        alarm 60;
    }
    alarm 0;
    return @replies;
}

# Everything that a request could change; not what goes on beside requests.
sub everything {
    my @tables = ('account', 'account_identifier', 'account_code', 'account_limit', 'account_captcha', 'account_point',
        [ account_session => 'realm, digest, account, created, expires' ], [ account_message => 'realm, ref, channel, recipient, name, created' ]);
    return join "\n", map { my ($table, $columns) = ref ? @$_ : ($_, '*'); $server->sql("SELECT '$table', $columns FROM $table") } @tables;
}

# --- all of them ---

my ($refused, $tried) = (0, 0);
for my $contract (sort keys %routes) {
    for my $route (sort keys %{ $routes{$contract} }) {
        my ($path, $fields, $before) = @{ $routes{$contract}{$route} };
        new_user(role => $contract eq 'management' ? 'admin' : undef);
        $before->() if $before;
        $path = $path->() if ref $path;
        my @fields = $fields->();
        my $takes = $methods{"$contract $route"};
        my $elsewhere = { map { $_ ne "$contract $route" && $at{$_} eq $at{"$contract $route"} ? %{ $methods{$_} } : () } keys %at };
        my ($control) = exchange([ message(form => $path, \@fields, { 'Sec-Fetch-Site' => 'cross-site' }), 0 ]);
        my (@no, @yes);
        for my $site (@sites) {
            for my $class (sort keys %class) {
                for my $from (sort keys %origin) {
                    for my $way (@ways) {
                        my $may = may($site, $class, $from, $way);
                        my $method = $way =~ /\A[A-Z]/ ? $way : 'POST';
                        next if $elsewhere->{ $method eq 'HEAD' ? 'GET' : $method };    # that is another route
                        my %headers = (Origin => $origin{$from}, 'Sec-Fetch-Site' => $site eq 'absent' ? undef : $site,
                            'Sec-Fetch-Mode' => $class{$class}[0], 'Sec-Fetch-Dest' => $class{$class}[1]);
                        my $is_preflight = $way eq 'OPTIONS' && $from eq 'listed' && $class eq 'fetch';
                        $headers{'Access-Control-Request-Method'} = 'POST' if $way eq 'OPTIONS' && $class eq 'fetch';
                        # what it is if it is not refused: no reply of the contract that could change anything
                        my $status = $way eq 'OPTIONS' ? ($is_preflight ? 204 : 200)
                            : $way eq 'HEAD' ? (may($site, $class, $from, 'GET') ? 405 : 403)
                            : !$may ? 403 : $way eq 'text' && $takes->{POST} ? 415 : !$takes->{$method} ? 405 : 0;
                        my $case = { name => "Sec-Fetch-Site $site, $class, Origin $from, $way", status => $status,
                            message => [ message($way, $path, \@fields, \%headers), $way eq 'HEAD' ] };
                        push @{ $status ? \@no : \@yes }, $case;
                    }
                }
            }
        }
        my $was = everything();
        my @replies = exchange(map { $_->{message} } @no);
        my @wrong = map {
            my ($case, $reply) = ($no[$_], $replies[$_]);
            $reply->[0] != $case->{status} || ($case->{status} == 403 && !$case->{message}[1] && $reply->[1] ne $control->[1])
                ? "$case->{name}: $reply->[0] instead of $case->{status}: " . substr($reply->[1], 0, 100) : ()
        } 0 .. $#no;
        ok(!@wrong, "$contract $route: " . @no . ' requests are refused') or diag(join "\n", splice @wrong, 0, 12);
        ok($was eq everything(), "$contract $route: and nothing has changed");
        @replies = exchange(map { $_->{message} } @yes);
        @wrong = map { $replies[$_][0] >= 500 || $replies[$_][1] eq $control->[1] ? "$yes[$_]{name}: $replies[$_][0] $replies[$_][1]" : () } 0 .. $#yes;
        ok(!@wrong, "$contract $route: " . @yes . ' are not') or diag(join "\n", splice @wrong, 0, 12);
        ok($was ne everything(), "$contract $route: and they have changed something");
        $refused += @no;
        $tried += @no + @yes;
    }
}
cmp_ok($tried, '>=', 50_000, "$tried requests in all, $refused of them refused");
# --- DELETE: scripts only, and they ask first ---

new_user();
other_session();
my $sessions = sub { $server->sql("SELECT COUNT(*) FROM account_session WHERE account = $user{id}") };
for my $path ("$mount{devices}/sessions/$user{other}", "$mount{devices}/sessions") {
    for my $headers ({ Origin => 'http://evil.example' }, { Origin => 'null' }, { 'Sec-Fetch-Site' => 'cross-site', 'Sec-Fetch-Mode' => 'cors' },
        { 'Sec-Fetch-Site' => 'same-site', 'Sec-Fetch-Mode' => 'cors' }, { Referer => 'http://evil.example/' }) {
        my $r = $server->request(DELETE => $path, cookie => $user{cookie}, headers => $headers);
        is($r->{status}, 403, "DELETE $path: " . join ', ', %$headers);
    }
    is($sessions->(), 2, 'both sessions live');
}
is($server->request(DELETE => "$mount{devices}/sessions/$user{other}", cookie => $user{cookie})->{status}, 200, 'a program\'s DELETE');
is($sessions->(), 1, 'ends one');

done();
