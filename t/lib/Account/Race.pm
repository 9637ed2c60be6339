# Many requests from one process at the same moment. Each is sent but for its last byte, and the last bytes go together
# once the server has the rest: what races then is the server, not the starting of clients.
package Account::Race;
use strict;
use warnings;
use Account::Client;
use Exporter 'import';
use IO::Socket::INET;
use Time::HiRes qw(time sleep);

our @EXPORT_OK = 'race';

# race($port, [ [POST => '/path', form => {..}], ... ], timeout => 10, pause => 0.1)
# -> their replies, in order, as of Account::Client::request; seconds count from the last byte on.
sub race {
    my ($port, $requests, %opt) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my @lanes;
    for my $request (@$requests) {
        my $bytes = Account::Client::build($port, @$request);
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
            or die "no connection: $@\n";
        syswrite $socket, substr $bytes, 0, -1;
        push @lanes, { socket => $socket, last => substr($bytes, -1), method => $request->[0], reply => '' };
    }
    sleep($opt{pause} // 0.1);
    my $start = time;
    syswrite $_->{socket}, $_->{last} for @lanes;
    $_->{socket}->blocking(0) for @lanes;
    my %open = map { fileno $_->{socket} => $_ } @lanes;
    my $until = $start + ($opt{timeout} // 10);
    while (%open && time < $until) {
        my $wanted = '';
        vec($wanted, $_, 1) = 1 for keys %open;
        select(my $ready = $wanted, undef, undef, $until - time) > 0 or next;
        for my $fd (grep { vec $ready, $_, 1 } keys %open) {
            my $lane = $open{$fd};
            my $got = sysread $lane->{socket}, $lane->{reply}, 65536, length $lane->{reply};
            next if $got || !defined $got && $!{EAGAIN};
            $lane->{seconds} = time - $start;
            $lane->{error} = "connection lost: $!" if !defined $got;
            delete $open{$fd};
        }
    }
    $_->{error} = 'timed out' for values %open;
    return map { reply_of($_, time - $start) } @lanes;
}

sub reply_of {
    my ($lane, $elapsed) = @_;
    close $lane->{socket};
    my $reply = Account::Client::parse($lane->{method}, $lane->{reply});
    $reply->{seconds} = $lane->{seconds} // $elapsed;
    if (defined $lane->{error} || !$reply->{status}) {
        $reply->{status} = 0;
        $reply->{error} = $lane->{error} // 'no HTTP reply';
    }
    return $reply;
}

1;
