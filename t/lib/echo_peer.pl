#!/usr/bin/perl
# An application behind a proxy, for tests: answers with all that it was sent, and writes it down.
#
# echo_peer.pl --port N --requests FILE
#
# Each request is a line of JSON, in the reply and in FILE: connection (a number), head (its bytes as they came, up to and
# with the empty line), body (decoded if in chunks), tail (the bytes of trailers). Bytes are characters below 256.
# Words in the query change the reply: status=N, cache (public, for ten minutes), cookie (sets two), nobody (asked by HEAD).
# "Upgrade: websocket" gets 101, and then back what it sends.
use strict;
use warnings;
use Getopt::Long;
use IO::Socket::INET;
use JSON::PP ();

GetOptions(\my %opt, 'port=i', 'requests=s') or die "usage: see $0\n";
my $json = JSON::PP->new->ascii->canonical;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $opt{port}, Listen => 128, ReuseAddr => 1)
    or die "port $opt{port}: $!\n";
$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';

sub body {
    my ($socket, $head) = @_;
    my ($body, $tail) = ('', '');
    if ($head =~ /^Transfer-Encoding:.*chunked/mi) {
        while (defined(my $size = <$socket>)) {
            $size = hex(($size =~ /\A\s*([0-9a-fA-F]+)/)[0] // 0) or last;
            read $socket, $body, $size, length $body;
            <$socket>;
        }
        while (defined(my $line = <$socket>)) {
            last if $line =~ /\A\r?\n\z/;
            $tail .= $line;
        }
    }
    elsif ($head =~ /^Content-Length:\s*(\d+)/mi) { read $socket, $body, $1 }
    return ($body, $tail);
}

sub serve {
    my ($socket, $number) = @_;
    while (1) {
        my $head = '';
        while (defined(my $line = <$socket>)) {
            $head .= $line;
            last if $line =~ /\A\r?\n\z/;
        }
        length $head or return;
        print $socket "HTTP/1.1 100 Continue\r\n\r\n" if $head =~ /^Expect:\s*100-continue/mi;
        my ($body, $tail) = body($socket, $head);
        my $line = $json->encode({ connection => $number, head => $head, body => $body, tail => $tail }) . "\n";
        open my $out, '>>', $opt{requests} or die "$opt{requests}: $!\n";
        syswrite $out, $line;    # one write, appended: lines of many stay whole
        close $out;
        my ($method, $query) = $head =~ /\A(\S+) [^?\s]*\??(\S*)/;
        if ($head =~ /^Upgrade:\s*websocket/mi) {
            print $socket "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n$line";
            $socket->flush;
            while (sysread $socket, my $bytes, 4096) { syswrite $socket, "echo:$bytes" }
            return;
        }
        my @headers = ('Content-Type: application/json', 'Content-Length: ' . length $line);
        push @headers, 'Cache-Control: public, max-age=600', 'Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT' if $query =~ /\bcache\b/;
        push @headers, 'Set-Cookie: back=1; Path=/', 'Set-Cookie: end=2; HttpOnly' if $query =~ /\bcookie\b/;
        my $status = $query =~ /\bstatus=(\d+)/ ? $1 : 200;
        print $socket join("\r\n", "HTTP/1.1 $status Told", @headers, '', '') . ($method eq 'HEAD' ? '' : $line);
        $socket->flush;
        return if $head =~ /^Connection:\s*close/mi || $head =~ m{\A[^\n]*HTTP/1\.0};
    }
}

my $number = 0;
while (1) {
    my $socket = $listener->accept or next;
    $number++;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        close $listener;
        serve($socket, $number);
        exit;
    }
    close $socket;
}
