# Messages on their way: gateways and mail servers that take them, refuse them, are late, go away and come back;
# what people are told meanwhile, what the log says, and that each message goes once.
# matrix: once

use FindBin '$Bin';
use lib "$Bin/lib";
use Account::Peers;
use Account::Post;
use Account::Test;
use Time::HiRes qw(time sleep);

my $gateway = Account::Peers::gateway();
my $smtp = Account::Peers::smtp();
my $address = 'http://127.0.0.1:' . $gateway->port . '/send';
my $server = server("AccountSms $address $TEMPLATE\nAccountMail smtp://127.0.0.1:" . $smtp->port
    . ' "Shop 商店 <shop@example.com>"')->start;

# --- it arrives, and is good ---
{
    my $to = mobile();
    my $r = send_code($server, $to);
    is $r->{status}, 200, 'a code is sent to a mobile number';
    is $r->{json}{outcome}, 'ok', 'ok';
    ok arrives(10, sub { requests_for($gateway, $to) }), 'the gateway gets it';
    my ($request) = requests_for($gateway, $to);
    is $request->{method}, 'POST', 'as its template says: the method';
    is $request->{headers}{authorization}, 'APPCODE t0p-s3cret', 'a header';
    is $request->{headers}{'content-type'}, 'application/json', 'the type';
    like $request->{headers}{'idempotency-key'}, qr/\A[0-9a-f]{32}\z/, 'a key';
    my $code = code_of($request);
    like $code, qr/\A\d{6}\z/, 'six digits';
    like $request->{body}, qr/$code.*$code/, 'in the text too';
    my $password = canary('delivered-password-1');
    is $server->post('/post/register', form => { to => $to, code => $code, password => $password })->{json}{outcome}, 'ok',
        'and the code registers';

    $to = email();
    is send_code($server, $to)->{json}{outcome}, 'ok', 'a code is sent to an address';
    ok arrives(10, sub { letters_for($smtp, $to) }), 'the mail server gets it';
    my ($letter) = letters_for($smtp, $to);
    my ($headers, $text) = Account::Peers::letter($letter->{letter});
    is $letter->{from}, 'shop@example.com', 'from the sender';
    is $headers->{to}, $to, 'to whom it is for';
    like $headers->{'message-id'}, qr/\A<[0-9a-f]{32}\@example\.com>\z/, 'with an id';
    ok length $headers->{subject}, 'a subject';
    my ($mailed) = $text =~ /\b(\d{6})\b/;
    is $server->post('/post/register', form => { to => $to, code => canary($mailed // 'nothing'), password => $password })
        ->{json}{outcome}, 'ok', 'and its code registers';

    is $server->post('/post/link', form => { to => $to })->{json}{outcome}, 'ok', 'a reset is asked for';
    ok arrives(10, sub { (letters_for($smtp, $to))[1] // () }), 'and mailed';
    my (undef, $reset) = Account::Peers::letter(((letters_for($smtp, $to))[1] // { letter => '' })->{letter});
    my $here = quotemeta $server->url('/account/reset');
    like $reset, qr/$here\?\S+/, 'with an address of this server';
    canary($1) if $reset =~ /$here\?\w+=([\w.~-]{16,})/;
}

# --- no for now: the same message again, under the same key ---
for my $no ('400 {"code":1}', '200 {"code":1}', '200 nonsense') {
    $gateway->mode($no);
    my $to = mobile();
    send_code($server, $to);
    ok arrives(10, sub { requests_for($gateway, $to) }), "a gateway says $no";
    is send_code($server, mobile())->{status}, 200, 'which is no reason to refuse others';
    $gateway->mode('ok');
    ok wait_until(20, sub { requests_for($gateway, $to) > 1 }), 'the message is tried again';
    my @all = requests_for($gateway, $to);
    is $all[-1]{headers}{'idempotency-key'}, $all[0]{headers}{'idempotency-key'}, 'under the same key';
    is code_of($all[-1]), code_of($all[0]), 'with the same code';
    sleep 3;
    is scalar(requests_for($gateway, $to)), scalar(@all), 'and not after it was taken';
}
is count_of($server, '00185'), 0, 'none of which means that the gateway is down';

# --- a late answer is an answer ---
{
    $gateway->mode('late 3');
    my $to = mobile();
    send_code($server, $to);
    ok arrives(10, sub { requests_for($gateway, $to) }), 'a gateway takes three seconds';
    sleep 8;
    is scalar(requests_for($gateway, $to)), 1, 'the message is not sent again meanwhile';
    code_of((requests_for($gateway, $to))[0]);
}

# --- down and back: who asks for a code is told at once, the log says so once, what waited arrives ---
my ($downs, $backs) = (0, 0);
for my $case ([ drop => sub { $gateway->mode('drop') } ], [ 'error 500' => sub { $gateway->mode('500') } ],
    [ hang => sub { $gateway->mode('hang') } ], [ 'not there' => sub { $gateway->end } ]) {
    my ($name, $break) = @$case;
    $gateway->mode('ok');
    $break->();
    my $to = mobile();
    is send_code($server, $to)->{status}, 200, "$name: the first is accepted, nobody knows yet";
    $downs++;
    ok wait_until(25, sub { count_of($server, '00185') == $downs }), "$name: the log says that it is down";
    my $start = time;
    my $r = send_code($server, mobile());
    is $r->{status}, 503, "$name: the next is told to come back";
    ok $r->{headers}{'retry-after'}, "$name: and when";
    cmp_ok time - $start, '<', 2, "$name: at once";
    is send_code($server, email())->{status}, 200, "$name: mail goes on";
    sleep 5;
    is count_of($server, '00185'), $downs, "$name: one line, however often it is tried";
    $gateway->mode('ok');
    $gateway->begin if $name eq 'not there';
    $backs++;
    ok wait_until(45, sub { count_of($server, '00186') == $backs }), "$name: the log says that it is back";
    my @all = requests_for($gateway, $to);
    my %keys = map { $_->{headers}{'idempotency-key'} => 1 } @all;
    is scalar(keys %keys), 1, "$name: what waited arrives, under one key";
    code_of($_) for @all;
    is send_code($server, mobile())->{status}, 200, "$name: and codes are sent again";
}
my $host = $address =~ s{/send$}{}r;    # the path may hold a key
like line_of($server, '00185'), qr/error\].*AccountSms \Q$host\E \(path and template [0-9a-f]{8}\) can't be reached: .*; messages wait/,
    'the line names the gateway and the reason';
like line_of($server, '00186'), qr/notice\].*AccountSms \Q$host\E \(path and template [0-9a-f]{8}\) can be reached again/, 'and so does the other';

# --- mail servers ---
{
    $smtp->mode('refuse');
    my $to = email();
    send_code($server, $to);
    ok wait_until(15, sub { count_of($server, '00187') == 1 }), 'a mail server knows no such address: the log says so';
    like line_of($server, '00187'), qr/to p\*\*\*\@example\.com\) was refused for good: .*550 5\.1\.1 to RCPT/, 'and why';
    $smtp->mode('defer');
    my $later = email();
    send_code($server, $later);
    sleep 1;
    is send_code($server, email())->{status}, 200, 'a mail server that says later is not down';
    $smtp->mode('accept');
    ok arrives(20, sub { letters_for($smtp, $later) }), 'the mail is tried again';
    is scalar(letters_for($smtp, $to)), 0, 'the refused one is not';
    is count_of($server, '00187'), 1, 'and told once';

    $smtp->mode('lost');    # took it, and never said so
    my $twice = email();
    send_code($server, $twice);
    ok arrives(15, sub { letters_for($smtp, $twice) }), 'a mail server takes a letter and goes away';
    $smtp->mode('accept');
    ok wait_until(20, sub { letters_for($smtp, $twice) > 1 }), 'the letter is sent again';
    my @ids = map { (Account::Peers::letter($_->{letter}))[0]{'message-id'} } letters_for($smtp, $twice);
    is $ids[1], $ids[0], 'under the same Message-ID';
}

# --- whom nobody masks is in no log ---
unlike $server->error_log, qr/138400\d{5}\b/, 'no mobile number in the log';
unlike $server->error_log, qr/person\d+\@/, 'no address in the log';

# --- the server stops while a gateway says nothing ---
{
    $gateway->mode('hang');
    my $to = mobile();
    send_code($server, $to);
    ok arrives(10, sub { requests_for($gateway, $to) }), 'a message is on its way to a gateway that says nothing';
    my $start = time;
    $server->stop;
    cmp_ok time - $start, '<', 5, 'the server stops all the same';
    code_of((requests_for($gateway, $to))[0]);
    $gateway->mode('ok');
    $server->start;
    ok wait_until(15, sub { requests_for($gateway, $to) > 1 }), 'and sends it when it is back, without waiting for a lease';
    $server->stop;
}

# --- killed after a message was sent and before that was stored: it goes again, under the same key ---
{
    $server->start;
    $gateway->mode('late 5');
    my $to = mobile();
    send_code($server, $to);
    ok arrives(10, sub { requests_for($gateway, $to) }), 'a message has been sent';
    $server->kill9;
    $gateway->mode('ok');
    $server->start;
    ok wait_until(90, sub { requests_for($gateway, $to) > 1 }), 'the server was killed: it is sent again';
    my @all = requests_for($gateway, $to);
    is $all[1]{headers}{'idempotency-key'}, $all[0]{headers}{'idempotency-key'}, 'under the same key';
    cmp_ok $all[1]{time} - $all[0]{time}, '>', 30, 'once its lease is over';
    is code_of($all[1]), code_of($all[0]), 'with the same code';
    $server->stop;
}

# --- TLS, and a password from a file ---
{
    my $password = canary('mail-server-password-7');
    my $safe = Account::Peers::gateway(tls => 1);
    my $mail = Account::Peers::smtp(tls => 'starttls', user => 'shop', password => $password);
    my $file = spew(temp_dir('password') . '/password', "$password\n", 0600);
    my @lines = ('https://127.0.0.1:' . $safe->port . "/send $TEMPLATE", 'smtp://127.0.0.1:' . $mail->port
        . " shop\@example.com user=shop password-file=$file");
    my $trusting = server("AccountSms $lines[0] ca=" . $safe->certificate . "\nAccountMail $lines[1] ca=" . $mail->certificate)
        ->start;
    my ($mobile, $email) = (mobile(), email());
    send_code($trusting, $_) for $mobile, $email;
    ok arrives(10, sub { requests_for($safe, $mobile) }), 'over TLS to a gateway whose certificate is named';
    code_of((requests_for($safe, $mobile))[0]);
    ok arrives(10, sub { letters_for($mail, $email) }), 'over STARTTLS to a mail server, with a password';
    is_deeply [ map { $_->{user} } letters_for($mail, $email) ], ['shop'], 'as the user it was told';
    $trusting->stop;

    my $wary = server("AccountSms $lines[0]\nAccountMail $lines[1]")->start;
    send_code($wary, $_) for $mobile = mobile(), $email = email();
    ok wait_until(20, sub { count_of($wary, '00185') == 2 }), 'certificates that nobody named are not trusted';
    like $wary->error_log, qr/$_ .* can't be reached: .*certificate.*ca=FILE/, "and the log says what to do: $_" for qw(AccountSms AccountMail);
    is scalar(requests_for($safe, $mobile)) + scalar(letters_for($mail, $email)), 0, 'nothing went there';
    $wary->stop;
}

# --- a program, and a file ---
{
    my $dir = temp_dir('program');
    spew("$dir/program", "#!/bin/sh\ncat >> '$dir/letters'\n", 0755);
    chmod 0777, $dir;
    my $simple = server(qq(AccountSms file:$dir/lines\nAccountMail "|$dir/program -t 'x y'" "Shop <shop\@example.com>"))->start;
    my ($mobile, $email) = (mobile(), email());
    send_code($simple, $_) for $mobile, $email;
    ok wait_until(10, sub { slurp("$dir/lines") =~ /\n\z/ }), 'a file gets a line';
    my $line = JSON::PP->new->utf8->decode(slurp("$dir/lines"));
    is $line->{to}, $mobile, 'for whom';
    is $line->{channel}, 'sms', 'how';
    like canary($line->{code}), qr/\A\d{6}\z/, 'what';
    ok wait_until(10, sub { slurp("$dir/letters") =~ /^To: \Q$email\E$/m }), 'a program gets a letter';
    my (undef, $text) = Account::Peers::letter(slurp("$dir/letters"));
    canary($1) if $text =~ /\b(\d{6})\b/;
    $simple->stop;
}

# --- two servers on one database: each message goes once ---
{
    my $MESSAGES = 200;
    $gateway->mode('late 0.05');
    my $mariadb = Account::MariaDB->new->start;
    my $conf = "AccountSms $address $TEMPLATE\nAccountMail smtp://127.0.0.1:" . $smtp->port . ' shop@example.com';
    my %like = (db => 'mysql', mpm => 'event', mariadb => $mariadb, loglevel => 'info');
    my $one = server($conf, %like);
    my $two = server($conf, %like, dbname => $one->{dbname});
    spew($two->dir . '/account.key', slurp($one->dir . '/account.key'), 0600);
    $_->start for $one, $two;
    my $before = () = $gateway->got;
    my @outcomes = map { @$_ } concurrent(4, sub {
        my ($i) = @_;
        return [ map { send_code($i % 2 ? $one : $two, sprintf '139%d%07d', $i, $_)->{json}{outcome} // 'none' }
                1 .. $MESSAGES / 4 ];
    }, 120);
    is scalar(grep { $_ eq 'ok' } @outcomes), $MESSAGES, "$MESSAGES codes are sent by two servers";
    my $new = sub { my @all = $gateway->got; return @all[ $before .. $#all ] };
    ok wait_until(60, sub { my @new = $new->(); @new >= $MESSAGES }), 'all arrive';
    sleep 5;
    my (%to, %keys);
    for ($new->()) {
        $keys{ $_->{headers}{'idempotency-key'} }++;
        $to{ JSON::PP->new->utf8->decode($_->{body})->{mobile} }++;
        code_of($_);
    }
    is scalar(keys %to), $MESSAGES, 'each at its address';
    is_deeply [ grep { $keys{$_} > 1 } keys %keys ], [], 'none twice';
    $_->stop for $two, $one;
}

done();
