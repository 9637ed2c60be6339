# One recipient that a gateway or mail server fails for closes the way to the others for half a minute at most.
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
my $server = server("AccountSms $address $TEMPLATE\nAccountMail smtp://127.0.0.1:" . $smtp->port . ' shop@example.com')->start;

# --- one recipient that a mail server is slow for, alone in its round: its own trouble ---
{
    my @told = map { count_of($server, $_) } qw(00185 00186);
    my $poison = 'someone@poison.example';
    $smtp->mode('slow poison.example');
    is send_code($server, $poison)->{status}, 200, 'a mail server is slow for one domain';
    sleep 13;    # it was given up after ten
    for my $i (1 .. 3) {
        my $to = email();
        is send_code($server, $to)->{status}, 200, "others can be mailed: $i";
        ok arrives(25, sub { letters_for($smtp, $to) }), "and are: $i";
    }
    is scalar(letters_for($smtp, $poison)), 0, 'the slow one waits';
    is_deeply [ map { count_of($server, $_) } qw(00185 00186) ], \@told, 'nobody says that the mail server is down';
    $smtp->mode('accept');
    ok arrives(60, sub { letters_for($smtp, $poison) }), 'and is mailed once the mail server takes it';
}

# --- the first message of all is one that the gateway fails for: the channel is closed for half a minute, not for its life ---
{
    my $fresh = server("AccountSms $address $TEMPLATE\nAccountMail file:/dev/null")->start;
    my ($poison, $start) = (mobile(), time);
    $gateway->mode("for $poison 500");
    is send_code($fresh, $poison)->{status}, 200, 'a gateway fails for one number';
    ok wait_until(15, sub { count_of($fresh, '00185') == 1 }), 'nobody can know yet that it is only that one';
    is send_code($fresh, mobile())->{status}, 503, 'so the next is told to come back';
    my $to;
    ok wait_until(40, sub { send_code($fresh, $to = mobile())->{status} == 200 }), 'one is let through to see';
    my $seconds = time - $start;
    cmp_ok $seconds, '<=', 32, 'after half a minute';
    cmp_ok $seconds, '>=', 28, 'and not before';
    ok arrives(10, sub { requests_for($gateway, $to) }), 'it goes';
    ok wait_until(10, sub { count_of($fresh, '00186') == 1 }), 'the gateway is known to work';
    my $tried = requests_for($gateway, $poison);
    ok wait_until(60, sub { requests_for($gateway, $poison) > $tried }), 'the one that it fails for is tried again, alone';
    sleep 2;     # its end is stored
    for my $i (1 .. 3) {
        is send_code($fresh, $to = mobile())->{status}, 200, "which closes the channel to nobody: $i";
        ok arrives(10, sub { requests_for($gateway, $to) }), "they go on: $i";
    }
    $gateway->mode('ok');
    $tried = requests_for($gateway, $poison);
    ok wait_until(75, sub { requests_for($gateway, $poison) > $tried }), 'and it arrives once the gateway takes it';
    my %keys = map { $_->{headers}{'idempotency-key'} => 1 } requests_for($gateway, $poison);
    is scalar(keys %keys), 1, 'under one key';
    unlike $fresh->error_log, qr/138400\d{5}\b/, 'no mobile number in its log';
    code_of($_) for $gateway->got;
    $fresh->stop;
}

done();
