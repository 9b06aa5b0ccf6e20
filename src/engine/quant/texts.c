/*
 * texts.c - own texts, short and long, plain and technical, in many scripts: what a channel of a
 * model does on one kind of text only must show here. Kinds: news, chat, questions,
 * shops, medicine, law, SQL and code, logs, science, stories, packages, sentences of 26 languages.
 */
#include "quant/texts.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const char *const lm_calibration_texts[] = {
    "A database is a place where many people look for the same thing in different words.",
    "The council approved the new tram line on Tuesday evening after four hours of debate. "
    "Construction is to begin in spring, and the mayor promised that shops along the route "
    "would be paid for lost trade. Opponents said the estimate of 240 million left out the two "
    "bridges, which engineers have called unsafe since the flood of 2013.",
    "Shares of the airline fell 7.4% in early trading after it cut its forecast for the third "
    "quarter, citing fuel prices and a strike of ground staff in Lisbon.",
    "hey are you still up?? cant find my keys again lol",
    "Could you send me the invoice for order #48213 once more? The attachment was empty.",
    "How do I reset my password if I no longer have access to the e-mail address?",
    "I was charged twice for the same ride and the app only says \"try again later\".",
    "best hiking boots for wide feet under 150",
    "what time is it in Nairobi",
    "cancel my subscription",
    "Wireless over-ear headphones, 40 h of battery, folding, with a USB-C cable and a carrying "
    "case. Colours: black, sand, forest green. Two years of warranty.",
    "Stainless steel saucepan, 18 cm, 2.1 l, with glass lid; suitable for gas, ceramic and "
    "induction hobs; dishwasher safe.",
    "★★☆☆☆ Looked great for a week, then the zip broke. Returned it, and the refund took a "
    "month. Would not buy again!",
    "The film loses its way in the second hour, but the last scene, shot in one take on the "
    "roof of a bakery, is worth the ticket alone.",
    "A 54-year-old woman presented with three days of fever, productive cough and pleuritic "
    "chest pain on the right side. Temperature 38.9 °C, blood pressure 104/62 mmHg, heart rate "
    "112/min, oxygen saturation 91% on room air. Auscultation showed crackles over the right "
    "lower lobe. She was started on amoxicillin with clavulanic acid and admitted for "
    "observation.",
    "Take one tablet twice a day with food. Do not use if you are allergic to penicillin. "
    "Common side effects are nausea, diarrhoea and skin rash.",
    "Binding of the inhibitor to the allosteric pocket shifts the helix by 4.2 Å and closes "
    "the substrate channel, as shown by crystallography at 1.9 Å and confirmed by hydrogen "
    "exchange.",
    "The Tenant shall keep the Premises in good repair, fair wear and tear excepted, and shall "
    "not assign or sublet the whole or any part thereof without the prior written consent of "
    "the Landlord, such consent not to be unreasonably withheld.",
    "In accordance with Article 6(1)(f), processing is lawful where it is necessary for the "
    "purposes of the legitimate interests pursued by the controller, except where such "
    "interests are overridden by the rights of the data subject.",
    "WHEREAS the parties wish to settle all claims arising out of the delivery of 12 March, "
    "they agree as follows: (a) the Seller refunds EUR 18,500; (b) the Buyer returns the goods "
    "at its own cost within 30 days.",
    "SELECT c.name, count(*) AS orders, sum(o.total) FROM customers c JOIN orders o ON "
    "o.customer_id = c.id WHERE o.placed_at >= now() - interval '30 days' GROUP BY c.name "
    "HAVING count(*) > 3 ORDER BY 3 DESC LIMIT 20;",
    "CREATE INDEX CONCURRENTLY idx_events_tenant_time ON events USING btree (tenant_id, "
    "created_at DESC) INCLUDE (kind) WHERE deleted_at IS NULL;",
    "ERROR: deadlock detected DETAIL: Process 18231 waits for ShareLock on transaction 90121; "
    "blocked by process 18240.",
    "def merge(left, right):\n    out = []\n    while left and right:\n        "
    "out.append(left.pop(0) if left[0] <= right[0] else right.pop(0))\n    return out + left + "
    "right",
    "for (size_t i = 0; i < n; i++) { if (!seen[key[i] & mask]) { seen[key[i] & mask] = true; "
    "count++; } }",
    "{\"id\": 7, \"user\": {\"name\": \"Ada\", \"roles\": [\"admin\", \"editor\"]}, "
    "\"active\": true, \"score\": -0.25, \"tags\": []}",
    "export function debounce(fn, ms) { let t; return (...args) => { clearTimeout(t); t = "
    "setTimeout(() => fn(...args), ms); }; }",
    "2024-11-03T08:14:52Z WARN  pool-3 connection reset by peer, retry 2 of 5 in 800 ms "
    "(host=db-7.internal port=5432)",
    "$ tar -xzf backup.tar.gz -C /srv/data && chown -R app:app /srv/data && systemctl restart "
    "app.service",
    "https://example.org/products/42?ref=mail&lang=en#reviews",
    "Let f be a continuous function on the closed interval [a, b]. Then f attains its maximum, "
    "since the image of a compact set under a continuous map is compact, and compact subsets "
    "of the real line are closed and bounded.",
    "E = mc²; ∫₀^∞ e^(−x²) dx = √π / 2; 3/4 + 5/8 = 11/8",
    "The mitochondrion makes most of the cell's supply of adenosine triphosphate.",
    "Volcanoes form where plates pull apart, where one slides below another, and above plumes "
    "of hot rock that rise from deep in the mantle. Those of the first kind are quiet and "
    "mostly under the sea; those of the second explode, because the water that the sinking "
    "plate carries down lowers the melting point of the rock above it and makes the magma rich "
    "in gas; and those of the third build long chains of islands while the plate moves on over "
    "them. The oldest island of such a chain is the one farthest from the plume, and the "
    "youngest is often still growing. Geologists read the age of lava from its argon, its path "
    "from the direction in which its iron points, and the depth of its source from the "
    "minerals that it brought along. None of this tells them the day of the next eruption, but "
    "a swarm of small earthquakes, a bulge of a few centimetres and a change of the gases "
    "usually do so weeks ahead, and whole valleys have been emptied in time.",
    "When my grandmother was young, letters took nine days from the coast to the village. She "
    "kept them all in a biscuit tin, tied with kitchen string, the ones with bad news at the "
    "bottom. I found the tin last winter when we cleared the house. Most of the ink had gone "
    "brown, and the stamps had been cut off for some cousin's album, but one envelope had "
    "never been opened. It was addressed to her in a hand that none of us knew. We put it on "
    "the table and looked at it through lunch, and through coffee, and in the end my aunt took "
    "it home as it was. She says she will open it when she is ready. I do not think she means "
    "to.",
    "Preheat the oven to 200 °C. Toss the carrots with oil, salt and cumin, roast for 25 "
    "minutes, then add the chickpeas and a spoonful of honey and roast for 10 minutes more. "
    "Serve with yoghurt.",
    "Home side win 3–1 after a goal in the 89th minute; the visitors' keeper was sent off "
    "before half time.",
    "The quick brown fox jumps over the lazy dog.",
    "To be, or not to be, that is the question.",
    "IMPORTANT!!! YOUR PARCEL IS WAITING. CLICK HERE TO CONFIRM YOUR ADDRESS WITHIN 24 HOURS",
    "library for reading and writing compressed archives - development files",
    "This package contains a small daemon that watches the temperature sensors and turns fans "
    "up or down. It can be set up by a text file, speaks to a socket, and needs no graphical "
    "environment. Plugins for other sensors are found in separate packages.",
    "Python bindings for a fast parser of configuration files (Python 3)",
    "Looking for a senior accountant, full time, in a team of six. You have five years of "
    "experience, know IFRS, and write good English and German. We offer 30 days of leave and a "
    "job ticket.",
    "One-bedroom flat, third floor without lift, balcony to the courtyard, 48 m², 890 € a "
    "month plus heating, free from 1 June. No smokers please.",
    "Thank you for your message. I am out of the office until Monday and will have no access "
    "to my mail. In urgent cases please write to the support team.",
    "Patient education: why vaccines are given in two doses, and what to do if you miss the "
    "second.",
    "Who wrote the opera in which a puppet maker falls in love with the moon?",
    "A man is playing a guitar on a street corner.",
    "Two dogs run through deep snow.",
    "The central bank left its key rate at 4.25 per cent and said that inflation would return "
    "to its goal of two per cent by the end of next year.",
    "I'm so tired of this weather... rain, rain, rain 😩☔ at least the cat is happy 🐈",
    "Quantum computers do not try all answers at once; they make wrong answers cancel out.",
    "yes",
    "Zürich",
    "42",
    "Der Zug nach Hamburg hat wegen einer Störung am Gleis etwa vierzig Minuten Verspätung. "
    "Reisende werden gebeten, auf die Durchsagen zu achten.",
    "Mit diesem Vertrag verpflichtet sich der Verkäufer, die Ware bis zum Ende des Monats zu "
    "liefern; andernfalls darf der Käufer zurücktreten.",
    "Programmbibliothek zum Lesen von Bilddateien, mit Werkzeugen für die Befehlszeile und "
    "Beispielen.",
    "Le gouvernement a présenté mercredi un projet de loi sur l'eau, que les agriculteurs "
    "jugent trop sévère et les associations trop timide.",
    "Bonjour, je n'arrive pas à me connecter à mon compte depuis ce matin ; pouvez-vous "
    "m'aider ?",
    "Ce paquet fournit les fichiers de développement et la documentation de la bibliothèque.",
    "El ayuntamiento abrirá tres piscinas este verano, pero cerrará la biblioteca del puerto "
    "por obras hasta octubre.",
    "¿Dónde puedo cambiar dinero cerca de la estación de trenes?",
    "La ricetta della nonna è semplice: farina, uova, un pizzico di sale e molta pazienza.",
    "Questo pacchetto contiene un programma per modificare file audio, con filtri ed effetti.",
    "O time perdeu em casa por dois a zero e agora precisa vencer os três últimos jogos para "
    "não cair.",
    "De fiets staat achter het huis, en de sleutel ligt onder de bloempot naast de deur.",
    "Tåget mot Göteborg är inställt i dag på grund av snöstorm, och ersättningsbussar går "
    "varje timme.",
    "Pociąg odjedzie z peronu trzeciego o godzinie osiemnastej; bilety można kupić w automacie.",
    "Děti si hrály na louce u řeky, dokud nezačalo pršet.",
    "Правительство объявило о новых правилах для малого бизнеса, которые вступят в силу с "
    "первого января.",
    "Вода в річці піднялася, і дорогу до села закрили.",
    "Bugün hava çok sıcak, akşam denize gidip balık yiyelim mi?",
    "Hôm nay trời mưa to, đường phố ngập nước và xe buýt đến muộn.",
    "Sää on tänään kaunis, joten lähdemme järvelle uimaan.",
    "A könyvtár szombaton zárva van, de a múzeum este nyolcig látogatható.",
    "Ο καφές είναι έτοιμος και τα παιδιά περιμένουν στον κήπο.",
    "今日は雨が降っているので、駅まで傘を持って歩きました。電車は少し遅れていますが、会議には間"
    "に合うと思います。",
    "画像ファイルを読み書きするためのライブラリ（開発用ファイル）",
    "昨天我们在图书馆看书，晚上一起去吃火锅。请问最近的地铁站怎么走？",
    "这个软件包提供用于编译程序的头文件和文档。",
    "오늘 회의는 오후 세 시에 시작하고, 자료는 이메일로 보내 드리겠습니다.",
    "ذهبنا إلى السوق في الصباح واشترينا الخبز والزيتون والجبن.",
    "הרכבת לחיפה יוצאת בעוד עשר דקות מרציף שתיים.",
    "आज बाज़ार में बहुत भीड़ थी, इसलिए हम जल्दी घर लौट आए।",
    "วันนี้อากาศดี เราจะไปเดินเล่นที่สวนสาธารณะ",
    "Mtoto anacheza mpira uwanjani na marafiki zake.",
    "Hari ini kami belajar memasak nasi goreng bersama ibu di dapur.",
    "Warranty claims must reach us in writing within fourteen days of delivery, together with "
    "photographs of the damage, the serial number on the underside of the housing, and a copy "
    "of the receipt. We repair or replace at our choice. Wear of belts, brushes and batteries "
    "is excluded, as is damage by liquids, by voltage beyond that on the rating plate, or by "
    "persons who opened the device without our consent. Carriage to our workshop is at the "
    "sender's risk; carriage back is ours. If a repair fails twice, or takes longer than six "
    "weeks, the price is refunded, less one per cent for every month of use. Nothing in this "
    "paragraph limits rights that the law gives to consumers.",
    "Abstract. We study how honey bees choose between flowers whose reward changes over the "
    "day. Forty marked foragers were offered two feeders, one rich in the morning and one in "
    "the afternoon, in a flight cage with controlled light. After five days 82% of the visits "
    "went to the richer feeder at the right time, and the preference remained for two days "
    "when both were equally filled. A model in which each bee stores the time of its last good "
    "visit, with an error of about forty minutes, explains the data better than one with a "
    "fixed schedule (ΔAIC = 31). We conclude that memory for time of day is part of foraging "
    "and not a by-product of the daily rhythm of activity. The results suggest that planting "
    "schemes for farmland should offer nectar late in the season and late in the day, when "
    "other sources have dried up. Keywords: behaviour, circadian clock, foraging, pollination.",
    "Meeting notes, 14 May. Present: six of eight. 1. Minutes approved. 2. Budget: we are 3% "
    "over because of the printer and the train tickets; Noor will ask for two more offers. 3. "
    "Summer party moved to the last Friday in July; Emil books the boat. 4. Hiring: two "
    "interviews next week, one candidate withdrew. 5. Any other business: the coffee machine "
    "is leaking again. Next meeting on 11 June, same room.",
    "import numpy as np\nrng = np.random.default_rng(0)\nx = rng.normal(size=(1000, 8))\nw = "
    "np.linalg.lstsq(x, x @ np.arange(8.0), rcond=None)[0]\nassert np.allclose(w, "
    "np.arange(8.0))",
    "Dear Sir or Madam, I am writing to complain about the noise from the building site next "
    "to my flat. Work begins at 5.30 a.m., although the permit says 7, and goes on through the "
    "weekend. I have spoken to the foreman twice without result. Please let me know what steps "
    "you intend to take. Yours faithfully,",
    "<div class=\"card\"><h2>Pricing</h2><p>From <b>$9</b> a month, billed yearly.</p><a "
    "href=\"/signup\">Start free trial</a></div>",
    "The treaty of 1648 ended thirty years of war, redrew the borders of a dozen states, and "
    "left the question of who might worship where to each prince.",
    /* Short ones: titles, headlines, queries, labels, goods, messages. */
    "library for reading sensor data",
    "simple editor for playlists",
    "fast tool to compare two folders",
    "Python bindings for a graph database",
    "old-style clock for the panel",
    "manual pages in Danish",
    "tiny web server for static files",
    "command-line client for a task list",
    "fonts for setting chemical formulae",
    "plays chess against itself",
    "headers for building plug-ins",
    "shared code of the backup suite",
    "debug symbols for the video player",
    "converts maps between formats",
    "checks spelling in source comments",
    "backend for colour printers",
    "quiz about capital cities",
    "secure copy with progress bar",
    "module for signing e-mail",
    "set of icons in flat style",
    "Mayor resigns after budget vote",
    "Storm leaves 20,000 homes without power",
    "Tech shares slide for third day",
    "Late goal sends hosts through",
    "Museum reopens after ten years",
    "Bees return to city rooftops",
    "Central bank holds rates steady",
    "Train strike enters second week",
    "Study links sleep to memory",
    "Rare coin sells for record sum",
    "cheap flights to Porto in May",
    "how to descale a kettle",
    "symptoms of iron deficiency",
    "nearest pharmacy open now",
    "convert pounds to kilograms",
    "why is my phone so slow",
    "recipe for lentil soup",
    "opening hours town hall",
    "car insurance for new drivers",
    "best books about the sea",
    "card not delivered",
    "refund has not arrived",
    "change delivery address",
    "account is locked",
    "exchange rate is wrong",
    "top-up failed",
    "positive",
    "very disappointed",
    "spam",
    "sports",
    "machine learning",
    "garden furniture",
    "two dogs run across a beach",
    "a man is playing the guitar",
    "the boy fell off his bicycle",
    "oil painting of a harbour",
    "blue cotton shirt, size M",
    "USB-C cable, 2 m, braided",
    "espresso machine with grinder",
    "kids' rain boots, yellow",
    "permission denied",
    "connection reset by peer",
    "out of memory",
    "segmentation fault",
};
const size_t lm_calibration_text_count = COUNT(lm_calibration_texts);

const char *const lm_held_out_texts[] = {
    "The ferry to the islands leaves twice a day, weather permitting.",
    "Police said on Sunday that two men had been arrested after a robbery at a jeweller's in "
    "the old town; the owner was unhurt, and the stolen watches were found in a rubbish bin.",
    "why does my card keep getting declined abroad",
    "Rechargeable bicycle lamp, 80 lux, waterproof, charges in two hours, with bracket for "
    "handlebars of 25 to 32 mm.",
    "UPDATE accounts SET balance = balance - 100 WHERE id = 7 AND balance >= 100 RETURNING id, "
    "balance;",
    "if err != nil { return nil, fmt.Errorf(\"open %s: %w\", path, err) }",
    "The study followed 2,310 adults with type 2 diabetes for eight years. Those who walked at "
    "least 7,000 steps a day had a 23% lower risk of heart failure, after adjustment for age, "
    "smoking and body mass index, but there was no difference in stroke.",
    "The supplier is not liable for delay caused by events beyond its reasonable control, "
    "provided that it gives notice without undue delay.",
    "A woman is slicing an onion in a small kitchen.",
    "program that shows the weather in the panel of the desktop",
    "Glaciers carve valleys with the shape of a U, rivers those with the shape of a V. Where a "
    "glacier met the sea the valley was drowned when the ice went, and is now a fjord; its "
    "mouth is often shallower than its middle, because the ice floated there and cut less "
    "deeply. On land the ends of old glaciers are marked by walls of rubble, which dam lakes, "
    "and by boulders of foreign rock that farmers have cursed for centuries. From the "
    "scratches on bare rock one can still read the way in which the ice was going.",
    "omg that was the best concert ever!!! see u tomorrow",
    "good morning",
    "Bitte überweisen Sie den Betrag innerhalb von vierzehn Tagen auf das unten genannte Konto.",
    "Les musées sont gratuits le premier dimanche du mois, sauf en été.",
    "Perdí el autobús y llegué tarde a la entrevista, pero me dieron el trabajo.",
    "Il treno per Bologna parte dal binario sette con dieci minuti di ritardo.",
    "Вчера мы ездили за грибами и вернулись домой только поздно вечером.",
    "図書館の本は二週間借りることができます。",
    "我想预订一张明天去上海的火车票。",
    "الطقس جميل اليوم وسنذهب إلى الشاطئ بعد الغداء.",
    "내일 아침에 비가 오면 등산을 취소합시다.",
    "Statek wypłynie z portu jutro rano, jeśli pozwoli na to pogoda.",
    "Our quarterly revenue rose by 12% to 48.1 million, driven by renewals in the Nordic "
    "countries; operating margin fell to 14% because of two acquisitions.",
    "Lea had never seen the sea. When the bus came over the last hill she stood up without "
    "noticing, and the whole row of old women laughed.",
    "Use this option to limit the number of parallel jobs; the default is one for each "
    "processor.",
};
const size_t lm_held_out_text_count = COUNT(lm_held_out_texts);
