#!/usr/bin/perl
# A gateway for tests: answers as it is told, and writes down what it was asked.
#
# http_peer.pl --port N --requests FILE --mode FILE
#
# The file of --mode is read at each request. Its first line is one of
#   ok              200 {"code":0,"data":{"ok":true}}
#   STATUS [BODY]   that status and body: "500", "200 {"code":1}"; with a redirect, BODY is its Location
#   hang            no answer
#   late SECONDS    200, but so much later; the request is written down at once
#   drop            reads the request, writes it down, goes away without a word
#   flood           200 with a body of 1 MiB
#   for X MODE      what MODE says where the body of the request has X in it; else ok
# Each request is a line of JSON: time, method, path, query, headers (lower case), body, connection (a number).
use strict;
use warnings;
use Getopt::Long;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

GetOptions(\my %opt, 'port=i', 'requests=s', 'mode=s') or die "usage: see $0\n";
my $json = JSON::PP->new->utf8->canonical;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $opt{port}, Listen => 128, ReuseAddr => 1)
    or die "port $opt{port}: $!\n";
$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';

sub mode {
    open my $in, '<', $opt{mode} or return 'ok';
    my $line = <$in> // 'ok';
    chomp $line;
    return $line;
}

sub write_down {
    my ($request) = @_;
    open my $out, '>>', $opt{requests} or die "$opt{requests}: $!\n";
    syswrite $out, $json->encode($request) . "\n";    # one write, appended: lines of many stay whole
}

sub answer {
    my ($socket, $status, $body, @headers) = @_;
    print $socket join("\r\n", "HTTP/1.1 $status Told", 'Content-Type: application/json', 'Content-Length: ' . length $body,
        @headers, '', '') . $body;
    $socket->flush;
}

sub serve {
    my ($socket, $number) = @_;
    while (defined(my $first = <$socket>)) {
        my ($method, $target) = $first =~ m{\A(\S+) (\S+) HTTP/1\.[01]\r?\n\z} or return;
        my ($path, $query) = split /\?/, $target, 2;
        my %headers;
        while (defined(my $line = <$socket>)) {
            $line =~ s/\r?\n\z//;
            last if $line eq '';
            my ($name, $value) = split /:\s*/, $line, 2;
            $headers{ lc $name } = $value;
        }
        read $socket, my $body, $headers{'content-length'} // 0;
        my $told = mode();
        $told = index($body // '', $1) >= 0 ? $2 : 'ok' if $told =~ /\Afor (\S+) (.*)/;
        my ($mode, $rest) = split / /, $told, 2;
        write_down({ time => time, method => $method, path => $path, query => $query // '', headers => \%headers,
            body => $body // '', connection => $number });
        if    ($mode eq 'ok')    { answer($socket, 200, '{"code":0,"data":{"ok":true}}') }
        elsif ($mode eq 'late')  { sleep $rest; answer($socket, 200, '{"code":0,"data":{"ok":true}}') }
        elsif ($mode eq 'hang')  { sleep 120; return }
        elsif ($mode eq 'drop')  { return }
        elsif ($mode eq 'flood') { answer($socket, 200, 'x' x 1_048_576) }
        elsif ($mode =~ /\A3/)   { answer($socket, $mode, '', 'Location: ' . ($rest // '/')) }
        else                     { answer($socket, $mode, $rest // '') }
        return if ($headers{connection} // '') eq 'close';
    }
}

for (my $number = 1;; $number++) {
    my $socket = $listener->accept or next;
    my $pid = fork // next;
    if (!$pid) {
        close $listener;
        serve($socket, $number);
        close $socket;
        POSIX::_exit(0);
    }
    close $socket;
}
