# C, read roughly: comments, literals, what is declared at file level. For t/guard.t, which proves it on examples.
package Account::Source;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(code plain_code line_at literals declarations signature parameters is_mutable);

# The text with comments and what is in literals blanked out, line by line as before. keep => 'strings': literals
# stay; keep => 'comments': only comments stay, as NUL bytes.
sub code {
    my ($text, %opt) = @_;
    my $keep  = $opt{keep} // '';
    my $blank = sub { my ($x, $with) = @_; $x =~ s/[^\n]/$with/g; $x };
    my $piece = sub {
        my ($comment, $literal) = @_;
        return $blank->($comment, $keep eq 'comments' ? "\0" : ' ') if defined $comment;
        return $keep eq 'strings' ? $literal
            : substr($literal, 0, 1) . $blank->(substr($literal, 1, -1), ' ') . substr($literal, -1);
    };
    $text =~ s{(/\*.*?\*/|//[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+')}{$piece->($1, $2)}gse;
    return $text;
}

# The same without preprocessor lines.
sub plain_code { my ($text) = @_; return code($text) =~ s{^[ \t]*#(?:[^\n]*\\\n)*[^\n]*}{ $& =~ s/[^\n]/ /gr }gmer }

sub line_at { my ($text, $position) = @_; return 1 + (substr($text, 0, $position) =~ tr/\n//) }

# Literals that stand side by side are one: ([line, text], ...)
sub literals {
    my ($text) = @_;
    $text = code($text, keep => 'strings');
    my @found;
    while ($text =~ /("(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*)/g) {
        my ($all, $line) = ($1, line_at($text, $-[1]));
        push @found, [ $line, join '', $all =~ /"((?:[^"\\\n]|\\.)*)"/g ];
    }
    return @found;
}

# What stands at file level: ([first line, text, last line], ...), each { } emptied.
sub declarations {
    my ($text) = @_;
    $text = plain_code($text);
    my ($depth, $round, $now, $start, @found) = (0, 0, '');
    while ($text =~ /([{}();])|([^{}();]+)/g) {
        my $token = $1 // $2;
        my $position = $-[0];
        next if $depth && $token !~ /[{}]/;
        $start //= line_at($text, $position + $-[0]) if $token =~ /\S/;
        if ($token eq '{') { $now .= '{' if !$depth++; next }
        if ($token eq '}') {
            next if --$depth > 0;
            $now .= '}';
            next if $now !~ /\A[^=]*\)\s*\{\}\z/;    # not the end of a function's body
        }
        else {
            $now .= $token;
            $round += ($token eq '(') - ($token eq ')');
            next if $token ne ';' || $round;
        }
        while ($now =~ s/\A(\s*[A-Z_]{3,}\s*(\((?:[^()]|(?2))*\)))(?=\s*[\w;])(?!\s*=)//) {    # a macro without ";"
            my $macro = $1;
            $start += ($macro . ($now =~ /\A(\s*)/)[0]) =~ tr/\n// - ($macro =~ /\A(\s*)/)[0] =~ tr/\n//;
        }
        push @found, [ $start, $now =~ s/\A\s+//r, line_at($text, $position) ] if $now =~ /[^\s;]/;
        ($now, $start) = ('');
    }
    return @found;
}

# (name, number of parameters) of a function's declaration; nothing if it is none.
sub signature {
    my ($declaration) = @_;
    return if $declaration =~ /\Atypedef\b/;
    $declaration =~ s/__attribute__\s*(\((?:[^()]|(?1))*\))//g;
    $declaration =~ /\A[^=({]*?\b(\w+)\s*(\((?:[^()]|(?2))*\))\s*(?:;|\{\})\z/ or return;
    return ($1, parameters($2));
}

sub parameters {
    my ($list) = @_;
    $list =~ s/\A\(|\)\z//g;
    1 while $list =~ s/\([^()]*\)//g;
    return 0 if $list =~ /\A\s*(?:void)?\s*\z/;
    return scalar grep { !/\A\s*\.\.\.\s*\z/ } split /,/, $list;
}

# Whether a variable's declaration (without what it is set to) makes something that can change.
sub is_mutable {
    my ($declaration) = @_;
    $declaration =~ s/=.*//s;
    $declaration =~ s/\{\}|\[[^\]]*\]|__attribute__.*//gs;
    return $declaration =~ /\(\s*\*([^)]*)\)/ ? $1 !~ /\bconst\b/
        : $declaration =~ /\*([^*]*)\z/       ? $1 !~ /\bconst\b/
        :                                       $declaration !~ /\bconst\b/;
}

1;
