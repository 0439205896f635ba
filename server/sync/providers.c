#include "server/sync/providers.h"

#define APP_PASSWORD "This provider wants an app password, made in its account settings."

static const struct provider providers[] = {
    {"gmail.com googlemail.com", "imap.gmail.com", "pop.gmail.com", "smtp.gmail.com", 465,
     APP_PASSWORD},
    {"icloud.com me.com mac.com", "imap.mail.me.com", NULL, "smtp.mail.me.com", 587, APP_PASSWORD},
    {"yahoo.com ymail.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es", "imap.mail.yahoo.com",
     "pop.mail.yahoo.com", "smtp.mail.yahoo.com", 465, APP_PASSWORD},
    {"aol.com", "imap.aol.com", "pop.aol.com", "smtp.aol.com", 465, APP_PASSWORD},
    {"fastmail.com fastmail.fm", "imap.fastmail.com", "pop.fastmail.com", "smtp.fastmail.com", 465,
     APP_PASSWORD},
    {"gmx.de gmx.net gmx.at gmx.ch", "imap.gmx.net", "pop.gmx.net", "mail.gmx.net", 465,
     "IMAP and POP3 must be switched on in the settings of GMX first."},
    {"gmx.com gmx.co.uk gmx.us", "imap.gmx.com", "pop.gmx.com", "mail.gmx.com", 465,
     "IMAP and POP3 must be switched on in the settings of GMX first."},
    {"web.de", "imap.web.de", "pop3.web.de", "smtp.web.de", 587,
     "IMAP and POP3 must be switched on in the settings of WEB.DE first."},
    {"t-online.de", "secureimap.t-online.de", "securepop.t-online.de", "securesmtp.t-online.de",
     465, "Telekom wants the e-mail password, which differs from the customer centre's."},
    {"mailbox.org", "imap.mailbox.org", "pop3.mailbox.org", "smtp.mailbox.org", 465, NULL},
    {"posteo.de posteo.net", "posteo.de", "posteo.de", "posteo.de", 465, NULL},
    {"freenet.de", "mx.freenet.de", "mx.freenet.de", "mx.freenet.de", 465, NULL},
    {"zoho.com", "imap.zoho.com", "pop.zoho.com", "smtp.zoho.com", 465, APP_PASSWORD},
    {"yandex.com yandex.ru ya.ru", "imap.yandex.com", "pop.yandex.com", "smtp.yandex.com", 465,
     APP_PASSWORD},
    {"mail.ru inbox.ru list.ru bk.ru", "imap.mail.ru", "pop.mail.ru", "smtp.mail.ru", 465,
     APP_PASSWORD},
    {"orange.fr wanadoo.fr", "imap.orange.fr", "pop.orange.fr", "smtp.orange.fr", 465, NULL},
    {"free.fr", "imap.free.fr", "pop.free.fr", "smtp.free.fr", 465, NULL},
    {"laposte.net", "imap.laposte.net", "pop.laposte.net", "smtp.laposte.net", 465, NULL},
    {"libero.it", "imapmail.libero.it", "popmail.libero.it", "smtp.libero.it", 465, NULL},
    {"wp.pl", "imap.wp.pl", "pop3.wp.pl", "smtp.wp.pl", 465, NULL},
    {"o2.pl", "poczta.o2.pl", "poczta.o2.pl", "poczta.o2.pl", 465, NULL},
    {"seznam.cz", "imap.seznam.cz", "pop3.seznam.cz", "smtp.seznam.cz", 465, NULL},
    {"163.com", "imap.163.com", "pop.163.com", "smtp.163.com", 465, APP_PASSWORD},
    {"126.com", "imap.126.com", "pop.126.com", "smtp.126.com", 465, APP_PASSWORD},
    {"qq.com", "imap.qq.com", "pop.qq.com", "smtp.qq.com", 465, APP_PASSWORD},
    {"comcast.net", "imap.comcast.net", "pop.comcast.net", "smtp.comcast.net", 587, NULL},
};

const struct provider *provider_of(struct str domain)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
        struct str rest = str_of(providers[i].domains);
        while (rest.at)
            if (str_equal_nocase(str_cut(&rest, ' '), domain))
                return &providers[i];
    }
    return NULL;
}

const struct provider *provider_of_host(struct str host)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
        const struct provider *provider = &providers[i];
        const char *hosts[] = {provider->imap, provider->pop3, provider->smtp};
        for (size_t k = 0; k < sizeof hosts / sizeof *hosts; k++)
            if (hosts[k] && str_equal_nocase(host, str_of(hosts[k])))
                return provider;
    }
    return NULL;
}
