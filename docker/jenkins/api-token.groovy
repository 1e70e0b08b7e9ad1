// Gives the user retune the API token of the secret retune_token, at each start. Configuration as
// code makes users and their passwords, but no API tokens; it has run when this script does.

import hudson.model.User
import jenkins.security.ApiTokenProperty

String name = 'from the secret retune_token'
File secret = new File('/run/secrets/retune_token')
if (!secret.canRead()) {
    throw new IllegalStateException("$secret cannot be read; docker/make-secrets.sh makes it")
}
ApiTokenProperty tokens = User.getById('retune', true).getProperty(ApiTokenProperty)
String token = secret.text.trim()
if (!tokens.matchesPassword(token)) {
    // An earlier secret's token holds no longer.
    tokens.tokenList.findAll { it.name == name }.each { tokens.revokeToken(it.uuid) }
    tokens.addFixedNewToken(name, token)
}
