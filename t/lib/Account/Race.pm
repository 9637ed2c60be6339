# Clients in numbers: many requests at the same moment, and load that goes on while the test does something else.
package Account::Race;
use strict;
use warnings;
use Account::Client;
use Exporter 'import';
use IO::Socket::INET;
use Account::Process qw(temp_dir slurp spew);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(race background);

my $json = JSON::PP->new->utf8->allow_nonref->allow_blessed;

# Calls the sub in N processes, with 0 .. N-1, and returns at once: a sub that waits for them and returns their N results
# (anything JSON can say). They do not outlive $limit seconds. Canaries must be made here, or be told in the results.
sub background {
    my ($count, $sub, $limit) = @_;
    my $dir = temp_dir('background');
    my @pids = map {
        my $i = $_;
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            Account::Process::forget();
            alarm($limit // 60);
            srand;
            my $result = eval { [ $sub->($i) ] };
            my $died = "$@";
            eval { spew("$dir/$i", $json->encode($result ? { result => $result->[0] } : { died => $died })) };
            POSIX::_exit(0);
        }
        $pid;
    } 0 .. $count - 1;
    return sub {
        waitpid $_, 0 for @pids;
        my @answers = map { eval { $json->decode(slurp("$dir/$_")) } || { died => 'ended without an answer' } } 0 .. $#pids;
        my @died = map { exists $answers[$_]{died} ? "process $_: $answers[$_]{died}" : () } 0 .. $#answers;
        die join "\n", @died, '' if @died;
        return map { $_->{result} } @answers;
    };
}

# Each request is sent but for its last byte, and the last bytes go together once the server has the rest: what races
# then is the server, not the starting of clients.
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
            close $lane->{socket};
        }
    }
    $_->{error} = 'timed out' for values %open;
    return map { reply_of($_, time - $start) } @lanes;
}

sub reply_of {
    my ($lane, $elapsed) = @_;
    close $lane->{socket} if $lane->{socket}->opened;
    my $reply = Account::Client::parse($lane->{method}, $lane->{reply});
    $reply->{seconds} = $lane->{seconds} // $elapsed;
    if (defined $lane->{error} || !$reply->{status}) {
        $reply->{status} = 0;
        $reply->{error} = $lane->{error} // 'no HTTP reply';
    }
    return $reply;
}

1;
