"""What the sample mail says: our own texts about a lighthouse and the people who mend it."""

ADA = ("Ada Lindqvist", "ada@example.org")
BEN = ("Ben Okafor", "ben@example.org")
PIA = ("Pia Zielińska", "pia@example.net")

PEOPLE = [
    BEN, PIA,
    ("Marguerite Delacroix", "marguerite@phare.example"),
    ("Jón Þórsson", "jon@vedur.example"),
    ("Priya Raghavan", "priya.raghavan@optics.example"),
    ("Tomás Herrera", "tomas@carpinteria.example"),
    ("Dr. Wilhelmina van der Zee-Oosterhuis", "w.vanderzee@archief.example"),
    ("Søren Kjær", "soren@kjaer-bakery.example"),
    ("Harbour Office", "office@harbour.example"),
    ("Chidi Anand", "chidi@example.com"),
    ("Lucía Fernández Prieto", "lucia@example.com"),
    ("Oleksandr Bondar", "oleksandr@keepers.example"),
    ("\"Captain\" Rosalind Pike", "pike@tidewater.example"),
    ("Yuki Tanabe", "yuki@tanabe.example"),
]

THINGS = ["lantern room", "east gallery", "spiral stair", "fog bell", "keeper's kitchen", "boat house",
          "weather vane", "oil store", "lens carriage", "signal mast", "north door", "rain gutter",
          "log books", "winding gear", "copper roof", "visitors' path", "well pump", "flagstaff"]
WHEN = ["Tuesday", "the weekend", "next month", "after Easter", "before the storms", "Friday at ten",
        "midsummer", "the open day", "low tide on Thursday", "October"]

# A conversation: the subject, the project's folder (or none), then what each says in turn.
# {thing}, {when}, {n} are the same throughout one conversation.
CONVERSATIONS = [
    ("The {thing}: what did the surveyor say?", "Projects/Lighthouse", [
        "The surveyor came by this morning and spent {n} minutes on his back under the {thing}. He says "
        "it is sound, which he seemed to regret.\n\nHe recommends new bolts in brass, and that nobody "
        "leans on it until {when}.",
        "Brass is fine by me. Do we still have the old bolts? The museum in town asked for one to put "
        "in a case, with a small card saying BOLT.",
        "I have {n} of them in a biscuit tin. The tin is older than the bolts, and in better shape.",
        "Then the tin should go in the case as well. I will ask whether they can make a larger card.",
        "They can. It will say BOLTS, IN TIN.",
    ]),
    ("Paint for the {thing}", "Projects/Lighthouse", [
        "We have to choose a white by {when}. The shop has {n} of them. They are called things like Quiet "
        "Gull and Second Snow, and I could not tell them apart even with the lids off.",
        "Whatever the harbour's own tower uses. Ships should not have to admire it, only see it.",
        "I asked the harbour. They use \"white\".",
        "Then let us be daring and use white.",
    ]),
    ("Who has the key to the {thing}?", None, [
        "It was on the hook on Sunday. The hook is still there.",
        "I thought you had it. I have a key, but it opens something else: a bicycle, I believe.",
        "Found it. It was in the lock. I am writing this down so that we can laugh about it by {when}.",
    ]),
    ("Minutes of the meeting about the {thing}", "Projects/Minutes", [
        "Present: {n} of us, and a gull.\n\n1. The {thing} was discussed. It was agreed that it is there.\n"
        "2. Money was discussed. It was agreed that it is not.\n3. Next meeting: {when}.\n\nThe gull left "
        "during item two.",
        "Two corrections: I was present under item one, and the gull abstained.",
        "Both noted. I have sent the corrected minutes to everybody, gull excepted.",
    ]),
    ("Sourdough count, and an apology", "Projects/Bread", [
        "There are {n} loaves for {when}. Only one of them looks like the {thing}; I did not plan that and "
        "cannot do it again.",
        "It was eaten first, gallery and all. Would you write down what you did, even so?",
        "Flour, water, salt, and forgetting it for eighteen hours because the ferry was late. I can "
        "put \"ferry\" in the recipe.",
        "Please do. We have a ferry.",
        "Printed and pinned beside the oven: wait for the ferry (or eighteen hours, whichever is longer).",
        "The ferry was on time today. The bread is flat. I blame the timetable.",
    ]),
    ("Lens: second measurement", "Projects/Lighthouse/Optics", [
        "I measured panel {n} again with the long ruler. It is 0.4 mm wider than the drawing, or the "
        "drawing is 0.4 mm narrower than the panel. After 130 years I would believe the glass.",
        "The glass has had longer to think about it. Is the carriage level?",
        "Level to within a hair, and I have asked whose hair. We can turn it by hand from {when}.",
        "Then we should turn it once, slowly, with everybody there, and write down that it was quiet.",
    ]),
    ("Are you coming {when}?", None, [
        "There will be soup, and somebody will explain the {thing} whether we ask or not.",
        "I will come for the soup and stay for the {thing}. Shall I bring chairs? I have {n}, of which "
        "most have the usual number of legs.",
        "Bring the chairs. We sort them at the door.",
    ]),
    ("Insurance again", "Projects/Money", [
        "The form asks whether the {thing} is \"normally attended\". I wrote: by gulls. They have asked me "
        "to write it again without the gulls.",
        "\"Visited daily by volunteers\" is true from {when} on, and contains no birds.",
        "Accepted. The premium is lower by {n}, which I take as a comment on the gulls.",
    ]),
]

MACHINES = [
    ("Tide station", "noreply@tides.example", "High water {when}: 2.{n} m",
     "High water at the pier: 2.{n} m above datum.\nLow water six hours later, as is the custom.\n"
     "\nThis message was written by a buoy."),
    ("Backup", "root@boathouse.example", "[ok] nightly backup of log-books ({n} files)",
     "{n} files looked at, 3 changed, 0 regretted.\nElapsed: 00:00:{n}\nNext run: tomorrow, same hour."),
    ("Library of the Archive", "loans@archief.example", "Reminder: \"{thing}\" is due {when}",
     "Dear reader,\n\nthe volume named above has been with you for {n} weeks. It is missed by the two "
     "books on either side of it, which have begun to lean.\n\nThe lending desk"),
    ("Parcel Post", "track@parcels.example", "Your parcel {n}-KRK is on the ferry",
     "Your parcel ({n} kg, \"{thing}, parts of\") has been handed to the ferry.\nThe ferry has been "
     "handed to the weather."),
]

NEWSLETTERS = [
    ("The Slow Press", "letters@slowpress.example", "Seven things that have not changed this week",
     ["The moon, mostly.", "The price of looking out of the window.", "Granite.",
      "The order of the alphabet, although there were talks.", "How long an egg takes.",
      "The stairs: still the same number up as down.", "You, we hope, or only a little."]),
    ("Gallery & Lamp", "news@gallerylamp.example", "New in the shop: wicks, brushes, a very good cloth",
     ["Cotton wicks in four widths", "A brush for glass that has seen weather",
      "The cloth: people write to us about the cloth", "Brass polish, unscented, unhurried"]),
    ("Seventeen Islands Ferry", "timetable@ferry.example", "Winter timetable: what stays, what sleeps",
     ["The morning boat stays.", "The noon boat sleeps until March.",
      "The evening boat leaves when Ola has finished his coffee.", "Dogs travel free and know it."]),
]

LIST_POSTS = [
    ("Cleaning a second-order lens without tears", "Has anybody used rainwater and nothing else? Our well "
     "leaves a veil that only shows on clear nights, which is when one minds it."),
    ("Bearing grease, 1890s, for the curious", "I opened a tin marked 1894. It smells of sheep and "
     "confidence. Sample available to any member with a nose."),
    ("Re-opening after winter: a check-list", "1. Is it still there?\n2. Are the birds out?\n3. Are the "
     "visitors in?\n4. Swap 2 and 3 if necessary."),
    ("[OT] Best biscuit for a night watch", "It has to survive a coat pocket and a ladder. Crumbs attract "
     "attention."),
]

# language, charset, transfer encoding, from, subject, text
FOREIGN = [
    ("de", "iso-8859-1", "quoted-printable", ("Jürgen Weiß", "juergen@leuchtturm.example"),
     "Übergabe der Schlüssel für den Leuchtturm",
     "Liebe Ada,\n\ndie Schlüssel liegen beim Bäcker, der sie für Brötchenzangen hält. Bitte widersprich "
     "ihm nicht, er hängt daran.\n\nMit schönen Grüßen von der Küste\nJürgen"),
    ("de", "utf-8", "8bit", ("Käthe Größer", "kaethe@archiv.example"),
     "Fundstück aus dem Archiv: „Öl, nicht vergessen“",
     "Guten Tag,\n\nin einem Wachbuch von 1907 steht jeden Abend derselbe Satz: „Öl, nicht vergessen.“ Nur "
     "am 3. März steht: „Vergessen.“ Mehr wissen wir nicht.\n\nHerzlich\nKäthe Größer"),
    ("fr", "iso-8859-15", "quoted-printable", ("Marguerite Delacroix", "marguerite@phare.example"),
     "Le devis pour l'escalier : 1 200 €, thé compris",
     "Chère Ada,\n\nle menuisier a compté les marches deux fois et n'a pas trouvé le même nombre. Il propose "
     "de monter une troisième fois, à ses frais. Le cœur y est.\n\nÀ bientôt,\nMarguerite"),
    ("pl", "iso-8859-2", "quoted-printable", ("Pia Zielińska", "pia@example.net"),
     "Żółta łódź wróciła",
     "Cześć Ado,\n\nżółta łódź wróciła w nocy sama, z wiosłami ułożonymi równo. Nikt się nie przyznaje. "
     "Zostawiłam jej śniadanie.\n\nŚciskam\nPia"),
    ("ru", "koi8-r", "base64", ("Олег Маяковский", "oleg@mayak.example"),
     "Письмо с маяка: туман и чайник",
     "Дорогая Ада!\n\nТретий день туман. Колокол звонит каждые две минуты, чайник каждые сорок. "
     "Мы научились их различать.\n\nС приветом,\nОлег"),
    ("ru", "windows-1251", "8bit", ("Надежда Петрова", "nadezhda@mayak.example"),
     "Расписание дежурств на зиму",
     "Здравствуйте!\n\nДежурства прежние: понедельник — я, вторник — тоже я. Остальное время дежурит море.\n\n"
     "Надежда"),
    ("el", "iso-8859-7", "base64", ("Ελένη Παπαδάκη", "eleni@faros.example"),
     "Ο φάρος και οι γλάροι",
     "Αγαπητή Άντα,\n\nοι γλάροι κάθισαν πάλι στο γείσο και παρακολούθησαν τη συνεδρίαση. Ψήφισαν σιωπηλά, "
     "όπως πάντα.\n\nΜε εκτίμηση\nΕλένη"),
    ("he", "windows-1255", "base64", ("נועה לוי", "noa@migdalor.example"),
     "המגדלור והמפתח (גרסה 2)",
     "שלום עדה,\n\nמצאנו את המפתח הישן מאחורי השעון. השעון לא עובד, אבל המפתח מדויק.\n\nלהתראות,\nנועה"),
    ("ar", "utf-8", "base64", ("ليلى حداد", "layla@manara.example"),
     "زيارة المنارة يوم الخميس 12:30",
     "عزيزتي آدا،\n\nسنصل مع المد، ونعود مع الجزر. إن تأخرنا فالسبب هو القهوة.\n\nمع أطيب التحيات\nليلى"),
    ("ja", "iso-2022-jp", "7bit", ("田辺 雪", "yuki@tanabe.example"),
     "灯台のレンズについてのご相談",
     "アダ様\n\nお世話になっております。レンズの三番目の枠に、小さな蜘蛛が住んでいます。\n"
     "とても几帳面な蜘蛛なので、そのままにしておきました。\n\n田辺 雪"),
    ("zh", "gb18030", "base64", ("陈海灯", "chen@dengta.example"),
     "关于灯塔楼梯的第三次测量",
     "阿达您好：\n\n楼梯一共一百零八级。下来的时候数是一百零九级。我们决定相信上去的那一次。\n\n祝好\n陈海灯"),
    ("ko", "euc-kr", "base64", ("김하늘", "haneul@deungdae.example"),
     "등대 안개 종 수리 안내",
     "안녕하세요, 아다 님.\n\n안개 종을 고쳤습니다. 이제 너무 잘 울려서 안개가 미안해하는 것 같습니다.\n\n김하늘 드림"),
    ("th", "tis-620", "base64", ("สมชาย ใจดี", "somchai@prapakan.example"),
     "ประภาคารและร่มคันใหม่",
     "สวัสดีคุณเอดา\n\nร่มคันใหม่มาถึงแล้ว ลมเอาไปแล้ว แต่เราเห็นว่ามันไปทางไหน\n\nด้วยความนับถือ\nสมชาย"),
    ("ja", "utf-8", "base64", ("北の灯 編集部", "henshu@kitanohi.example"),
     "【北の灯】今月の波と風のお知らせ、それから編集部の猫についての短い報告",
     "今月の波は先月の波とほぼ同じでした。\n猫は窓辺から動きませんでした。\n以上、編集部でした。"),
]

FLOWED = [
    "I have been thinking about the stairs, as one does on stairs. If we painted every tenth step a "
    "slightly different white, people would know where they are without having to count, and those who "
    "like counting could check the paint.",
    "The wind took the notice board on Monday and brought it back on Wednesday with a notice on it that "
    "none of us wrote. It says BACK SOON. We have left it up, since it is probably true of most things.",
    "Somebody asked at the open day how far the light can be seen. I said eighteen nautical miles. He "
    "asked how far it can be seen by somebody who is not looking. I have no answer to that yet.",
]

SPAM = [
    ("Prize Dept.", "winner@prizes-unclaimed.example", "You have WON a lighthouse (used)",
     "Dear Beloved Keeper,\r\n\r\nYou own already a lighthouse, so this second one is FREE. Only the "
     "customs fee of 900 is to pay, in shells.\r\n"),
    ("Dr. Quick", "q@better-batteries.example", "Your torch disappoints? Doctors silent",
     "One weird trick: put in the batteries.\r\n"),
]
