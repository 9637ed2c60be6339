# HTTP Basic and forms with the accounts beside a file of other users: what the tests of both have in common.
package Account::Basic;
use strict;
use warnings;
use Digest::SHA 'sha1_base64';
use Exporter 'import';
use MIME::Base64 'encode_base64';

our @EXPORT = qw(@BASIC_MODULES $BASIC_PLACES basic_files basic);

our @BASIC_MODULES = qw(auth_basic auth_form authn_file session session_cookie session_crypto request);

# /two, /turned: with a file beside the accounts; /off: not authoritative; /form: by mod_auth_form, posted to /form/in.
our $BASIC_PLACES = <<'END';
<Location "/two">
    AuthType Basic
    AuthName two
    AuthBasicProvider account file
    AuthUserFile "@DIR@/users"
    Require valid-user
    Header set X-Who "expr=%{REMOTE_USER}/%{ACCOUNT:id}"
</Location>
<Location "/turned">
    AuthType Basic
    AuthName turned
    AuthBasicProvider file account
    AuthUserFile "@DIR@/users"
    Require valid-user
</Location>
<Location "/off">
    AuthType Basic
    AuthName off
    AuthBasicProvider account
    AuthBasicAuthoritative off
    Require valid-user
</Location>
<Location "/form">
    AuthType Form
    AuthName form
    AuthFormProvider account
    Session On
    SessionCookieName form path=/
    SessionCryptoPassphrase 0123456789abcdef
    Require account
    Header set X-Who "expr=%{REMOTE_USER}/%{ACCOUNT:id}"
</Location>
<Location "/form/in">
    SetHandler form-login-handler
    AuthFormLoginSuccessLocation /form/
    Require all granted
</Location>
END

# The file of users (filip, Sesame-filip-file), and a page in each folder.
sub basic_files {
    my (@folders) = @_;
    return (users => 'filip:{SHA}' . sha1_base64('Sesame-filip-file') . "=\n",
        map { ("htdocs/$_/index.html" => "the $_ page\n") } qw(two turned off form), @folders);
}

# The header of a name and a password.
sub basic {
    my ($name, $password) = @_;
    my $text = "$name:$password";
    utf8::encode($text) if utf8::is_utf8($text);
    return (Authorization => 'Basic ' . encode_base64($text, ''));
}

1;
