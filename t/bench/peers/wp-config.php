<?php
define('DB_NAME', '@NAME@');
define('DB_USER', 'account');
define('DB_PASSWORD', '@PASSWORD@');
define('DB_HOST', 'localhost:@SOCKET@');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('AUTH_KEY', '@SALT@1');
define('SECURE_AUTH_KEY', '@SALT@2');
define('LOGGED_IN_KEY', '@SALT@3');
define('NONCE_KEY', '@SALT@4');
define('AUTH_SALT', '@SALT@5');
define('SECURE_AUTH_SALT', '@SALT@6');
define('LOGGED_IN_SALT', '@SALT@7');
define('NONCE_SALT', '@SALT@8');
define('WP_HOME', '@URL@');
define('WP_SITEURL', '@URL@');
define('WP_DEBUG', false);
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
