"""Chat lines written by hand, with every identifier marked: `{kind|value}`; a `⏎` is a line break.

What stands before a `⇢` is the message before. They were written without looking at what finds them, and each set was
scored before anything was mended for it: docs/redaction.md has the figures. Of a link the part that is secret is marked.
"""

FAMILY_AND_WORK = r"""
tell the courier {address|62 Fernleigh Crescent}, side gate, keypad {secret|8106}
k so ur picking me up from {address|119 Dunmore Avenue} at 7
they moved to {address|7 Bis Avenue Foch, 54000 Nancy}
mail goes to {address|Lindenallee 8, 14050 Berlin}
send it to {address|Piazza San Marco 52, 30124 Venezia}
she lives at {address|Calle Mayor 14, 2º izq, 28013 Madrid}
office: {address|Plot 22, Sector 44, Gurugram 122003}
house is {address|4-1-8 Hongo, Bunkyo-ku, Tokyo}
dad's at {address|1190 Sunset Ridge Rd, Northbrook, IL 60062} til sunday
my flat: {address|Stumpergasse 40/11, 1060 Wien}
drop it at {address|Vester Voldgade 98, 2. tv, 1552 København}
address is {address|Rruga e Kavajës 132, Tirana}
bring the van round to {address|Unit 14B, Sandpiper Industrial Estate, Quay Road, NE24 3AL}
{address|15 Rue Lepic} code {secret|58A41} 2nd floor
ring {phone|01865 270 114} if nobody answers try {phone|07488 301 227}
whatsapp {phone|+54 9 11 2345 6789}
that's {phone|4155550163}, not 0162
new number {phone|087 221 4490} ire
Mum: {phone|0 20 7183 8750}
call us {phone|+1-800-555-0139} x 22
{phone|(02) 9374 4000} is the sydney one
tel {phone|030/901820}
nummer is {phone|06-12345678}
his cell: {phone|917 555 0148}. hers {phone|917 555 0149}
{phone|+86 138 0013 8000} is my china sim
email's {email|fi.ona+bills@proton.me}
{email|k.e.lly at btinternet dot com} she said
its {email|sam underscore w at live dot co dot uk}
write to {email|Post@Kanzlei-Brandt.de}
{email|x.aoyama@i.softbank.jp}
wifi: sunflower house, password sunflower... no wait its {secret|Girasol#18}
what's the streaming password ⇢ {secret|CouchPotato99}
do you remember the laptop pin ⇢ yeah {secret|84422}
whats the gym door code ⇢ {secret|3580#}
the alarm's going off!! code?? ⇢ {secret|1 9 6 2}
pass for the ipad pls ⇢ {secret|202020}
router sticker says SSID VM4821 / {secret|xkq9trWz3mbp}
gate: {secret|0713#}. shed padlock: {secret|482}
bike lock is {secret|5-1-7-7}
your Uber code is {secret|6194}. Never share this code.
{secret|G-771204} is what google sent
microsoft code: {secret|039 114}
use {secret|552817} to log in
Your Revolut verification code is {secret|290-746}
door's {secret|C4471X} then push hard
phone unlock is {secret|159753}
login jbrown, pass {secret|Winter_2024!}
account {email|p.oneill@eircom.net} pw: {secret|Guinness4Me}
the spotify one's {email|lou_b@gmx.net} / {secret|lou-lou-77}
wp-admin → editor / {secret|dP#7vvQm2}
DB_PASSWORD={secret|n0tS0Secret_9}
token: {secret|glpat-Xk29dLm4QzT7vRw1YbNc}
X-Api-Key: {secret|4f9d2c7a81b34e60}
secret_key = "{secret|q8Zt!w2Lp0vB}"
aws {secret|AKIAZX7QTR2LMVN8WKPD}
private repo clone: https://oauth2:{link|glpat-9dKxQ2vTnYw8RbLc}@gitlab.com/acme/api.git
https://meet.jit.si/{link|FamilyReunion8812x}
https://us02web.zoom.us/j/{link|86420917355}?pwd=QkZtT1pVa0x
https://app.box.com/s/{link|9xk2mq7vl3tzr8wnb5yc}
paypal me https://paypal.me/{link|loubrennan77}
iban {iban|IE64 IRCE 9205 0112 3456 78}
{iban|FI21 1234 5600 0007 85} that's mine
rent → {iban|NL20 INGB 0001 2345 67} ref march
Norwegian acc {iban|NO93 8601 1117 947}
sort {id|20-00-00} acc {id|55779911}
routing {id|121000248} acct {id|3300471825}
visa {card|4539 5787 6362 1486} 03/29 {secret|447}
{card|5105105105105100} is the company one
debit {card|4000-0027-6000-3184} pin {secret|7716}
my bsn is {id|111222333}
NINO {id|AB 12 34 56 C}
SSN {id|601-22-4471}, dob later
passport {id|LR0428519} exp 2030
perso {id|L01X00T47}
aadhaar {id|4987 1230 6651}
licence {id|MORGA 657054 SM9IJ}
medicare {id|2123 45670 1}
reg is {plate|BD51 SMR}
plate {plate|8ABC123}
Kennzeichen {plate|B-MW 1234}
vin {plate|1HGCM82633A004352}
server's {ip|81.174.22.9}
{ip|2001:0db8:85a3::8a2e:0370:7334}
ltc {wallet|LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1}
add me {username|@nico.runs_far} on strava? no insta
my snap: {username|becky_x0x0}
адрес {address|Нижний Новгород, ул. Рождественская, 12, кв. 7}
мы на {address|Вернадского 41}, 3 подъезд
живу на {address|Белорусской 18} уже год
забери с {address|пр. Ленина, д. 61, корп. 3}
доставка: {address|мкр. Северный, д. 17, кв. 203}
{address|ул 8 Марта 14-22} домофон {secret|22в4470}
к бабуле на {address|Чайковского 5}
{address|Киев, ул. Саксаганского 70, кв. 9}
{address|м. Львів, вул. Городоцька, 18}
мой {phone|8-912-4471903}
звони {phone|+7 (4212) 33-17-05}
рабочий {phone|8 343 2170455} доб 12
его тел {phone|9 8 5 4 4 7 1 9 0 3}
{phone|89030001122} и {phone|89030001133} оба мои
вайбер {phone|+380 (95) 771-04-22}
почта {email|ol.gromova@inbox.ru}
{email|tanya точка k собака mail точка ru}
пароль {secret|Ромашка77} с большой
какой вайфай у вас ⇢ {secret|domik-2019}
код калитки? ⇢ {secret|2580В}
чё за пин на планшете ⇢ {secret|9514}
сейф: {secret|40718}
код подъезда {secret|56#1890}
смс пришла {secret|5517}
ваш код {secret|640-221}
код доступа: {secret|84-10-55}
логин gromova пароль {secret|Olya!1990}
карта {card|2200 2407 1188 3328} втб
{card|5536913899124479} тиньк, {phone|+79854471903}
паспорт {id|6315 №447190}
СНИЛС {id|140-228-771 30}
ИНН {id|526317984047}
полис {id|5248940876000447}
счёт {id|40817810042001234567}
права {id|5247 118903}
машина {plate|Е118КХ152}
тг {username|@olga_grom}
запись https://disk.yandex.ru/d/{link|Lq8xTz2VnKw4Rm}
чат https://t.me/joinchat/{link|AAAAAEkQ7x2LmZtRv}
бронь {secret|LM4KQ8}
конверт на {address|а/я 114}
ячейка {secret|4 4 1 7}
запомни: вайфай Gromovy, ключ {secret|88koshek88}
"""

FAMILY_AND_WORK_NOTHING = r"""
lost 21-19 in the third set
seeds 1 and 4 play at 3
it's 2 cups flour, 1 tsp soda, 180C for 35
the 07:12 gets in at 08:03
flight EI 154 row 21
U2 8811 to Split, gate 104
bus 46A then walk 400 m
order #4471 is on its way
3 x M, 2 x L, 1 x XL
42 inch, 107 cm
12 monkeys is on at 9
windows 95 nostalgia
room 101
90s music
the 2024 budget is 12.5m
q2 was 18% up on q1
rated 4.6 by 2,381 people
serial killer podcast ep 44
turn the page to 394
psalm 23 4
apollo 11, 1969
51% vs 49%
$1,299.00 + tax
2 for 1
sku 88214-A in blue
model X-T30 II
canon 5D mk4
4.7 GB left of 16
ETA 14:20-14:35
ticket 20 euros
5 rue? no idea which
street food at 6
he drives a 320d
bmw x5 2019
house md s03e12
drive 45 min north
court is at 9 on monday
park run 24:18
lane 3 was fast
100 m in 11.2
bench 5x5 at 80
day 12 of 75 hard
km 32 hurts
what code are you using for the report
zip it lol
dress code is casual
pin drop silence
gate agents were rude
safe and sound
lock the door pls
the lock is broken again
alarm at 6:45
alarm 5 times today
key lime pie
pass the salt
password manager is 3 a month
wifi extender 40 quid
login page is slow
token ring lol
username taken
account manager said friday
card games till 2
call of duty 4
number 7 shirt
ring size 54
cell division ch 12
text book 30
message 200 people
telegram has 900 million users
insta reels are dumb
discord was down 2 hours
snap election 2025
sc 1:0
vin diesel fast 9
reg clinic 14:00
tag line 3
plate of 12 oysters
license to kill 1989
passport control took 50 min
passport photos 35x45
social security office 9-4
счёт 3:3, пенальти 5:4
по 200 г сыра и ветчины
1,5 часа при 160
рейс DP 405 в 6:10
поезд 119А место 12
автобус 94к
сотка земли 150 тыс
кв метр 210 000
2 этажа, 140 метров
дом 80 квадратов
дом 2 не смотрю
на 8 марта поедем
на 23 февраля подарок
на Новый 2025 год
с 1 сентября
на Тойоте 2015 года
на Айфоне 14
по Москве 5 часов
до Питера 700 км
в Икее 3 часа
у Иванова 3 гола
с Петровым 2 года
в 10 классе
Чехова 3 тома прочла
песня 90-х
код красный
код 1с на 200 строк
пин-ап постер 300р
сейф стоит 12000
замок 16 века
замок 1350 года
ворота 2 м
ячейка общества
вайфай 6 поколения
пароль сменили вчера
логин и пароль не подходят
карта мира 2 на 3 м
карта памяти 128
паспорт 14 лет
права в 18
полис 5 тыс
инн не помню
счёт 114 от 5.03
телефон 5 лет
номер 5 в списке
номер 12 за 3500
звонил 3 раза
тг канал на 15к
ник у него смешной
инста лагает
машина 2012 года
авто до 800к
почта до 20
посылка 2,3 кг
бронь на 4 человек
билет 50 руб
код ошибки 43
шифр Цезаря 3
"""

HELD_OUT = r"""
plumber can come if you open up, we're {address|73 Thornbury Drive}, his mob {phone|07939 215 640}
hey its {address|5 Elmwood Park Court} buzzer {secret|0492#}
returns label goes to {address|2200 Harbor Blvd, Suite 300, Costa Mesa, CA 92626}
can u collect nan? {address|28a Station Approach}
hotel is on {address|Friedensstraße 19, 04105 Leipzig}
we booked {address|33 quai des Bateliers, 67000 Strasbourg}
apartment is at {address|Calle Serrano 45, 4A, 28001 Madrid}
nonna: {address|Via Roma 112, 10123 Torino}
{address|14 Church Street} is the one with the red gate
dorm {address|907 Hilgard Ave Apt 6}
my cousin in mumbai {address|B-1204, Lodha Heights, 17 Hill Road, Bandra West 400050}
office moved to {address|Keizersgracht 391A, 1016 EJ Amsterdam}
call the landlord {phone|0131 496 0277}
dr patel {phone|(617) 555-0158} ext 3
sms me {phone|+61 412 345 678}
my irish one {phone|+353 86 044 1290}
{phone|+49 176 5550 1234} works on whatsapp
number's {phone|0755 512 9031}
tel: {phone|(0)20 7946 0712}
hes on {phone|312 555 0176} til 5 then {phone|312 555 0181}
send invoice to {email|accounts.payable@brightwell.co.uk}
{email|mi-ko_92@yahoo.co.jp} best
{email|jo at hartley dot me} for rsvp
it's under {email|theo.w1nters@gmail.com}
wifi in the cabin ⇢ {secret|PineTree!44}
whats ur disney plus ⇢ {secret|mulan2020}
pin for the tablet? ⇢ its {secret|7391}
anyone got the door code ⇢ {secret|C1580} ⏎turn right
wifi's {secret|BlueHeron92}, network is Cabin
hulu → {email|gma.ruth@aol.com}, {secret|ruthie1938}
the password's still {secret|Marmalade}
pw: {secret|tulip-77-canoe}
just use {secret|Admin#2023} for the router
alarm code {secret|5519}, dont forget
lockbox on the rail: {secret|0038}
safe {secret|22-48-06}
verification code {secret|381 906}
{secret|7714} is your bolt code
amazon: {secret|204981} is your OTP
security code: {secret|55-10-82}
gym locker {secret|3316}
API_TOKEN={secret|pk_test_4eC39HqLyjWDarjtT1zdp7dc}
pg password is {secret|w8!Lmq0zRt}
here's the pat: {secret|ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8}
ssh admin@{ip|45.33.91.18} / {secret|Kestrel_88}
https://zoom.us/j/95512038847?pwd={link|cW5uRTJkZz09}
https://drive.google.com/file/d/{link|1kLmQx9ZtRvW7pYc2NbHs}/view
https://t.me/+{link|Zk8qLm2RtVw4Nz}
https://forms.gle/{link|Qx7kLm2ZtRvW8pNb9}
pay into {iban|GB94 BARC 1020 1530 0934 59}
{iban|DE75 5121 0800 1245 1261 99} please
s/c {id|60-16-13} a/c {id|31926819}
card {card|4917 4845 8989 7107}, {secret|601} on back
{card|6759 6498 2643 8453} maestro
ssn's {id|318-55-9021}
passport is {id|557203914}
ni {id|PX 48 21 03 B}
driving licence {id|JONES 710238 HA9QT}
reg {plate|LN68 XYB}
insta {username|@marta.bakes}
snap {username|theo_w1nters}
Tron {wallet|TLa2f6VPqDgRE67v1736s7bJ8Ray5wYjU7}
{address|Пролетарская 17}, код {secret|17к4821}
адрес {address|ул. Ленинградская, 44, кв 91}
я на {address|Комсомольской 12} жду
поехали на {address|Некрасова 8}
{address|г. Тула, пр. Ленина, д. 102, оф. 14}
отправь на {address|пер. Садовый 3}
дача {address|СНТ Берёзка, уч. 44}
звоните {phone|8 (4872) 55-13-20}
мой {phone|+7 910 550 13 20}
{phone|8 950 9012345} это Рома
у неё {phone|+375 33 612 44 09}
почта {email|r.savin@tula-stroy.ru}
{email|roma точка savin собака yandex точка ru}
пароль от компа ⇢ {secret|savin_1985}
код домофона? ⇢ {secret|44в7702}
вайфай дома {secret|tulaPryanik9}
пароль на дверь {secret|4571#}
пин телефона {secret|1206}
код {secret|882-104} пришёл
введи {secret|40117}
ваш код подтверждения {secret|7 7 4 1}
камера хранения, шифр {secret|К482}
логин rsavin пароль {secret|Beton!77}
сбер {card|2202 2018 4471 9035}
карта тинькофф {card|5536 9140 2277 3315}
паспорт {id|7014 №550912}
ИНН {id|710512345645}
СНИЛС {id|071-550-912 48}
р/с {id|40817810238001234567}
машина {plate|В471НО71}
тг {username|@roma_savin71}
заказ забрать код {secret|4471}
https://vk.me/join/{link|AJQ1d8Kx7LmZtRvW}
"""

HELD_OUT_NOTHING = r"""
lost 3-2 on pens
ticket 14 for the loo
42 to 36 at the break
1.5 tbsp, 3 cloves, 200 ml
oven 200 for 25
the 10:40 from platform 4
KL 1027 delayed 50 min
route 9 is closed
iOS 17.4.1
node 22.3
it weighs 4.2 kg
mm 120 x 80 x 15
2019 was a good year
100 push ups x 3
page 88, ex 5-9
$45 each or 2 for 80
11/12/2025 ok?
gate 22
seat 14C
apt pupil is a film
park close to the station
a close friend of 20 years
drive for 3 hours
he lives for 2 things
3 good reasons
10 Downing Street is on tv
5 star hotel
room for 2
key point 4
code name 47
pin 12 is ground
door 4 please
locker room talk
safe trip
alarm at 5
lock screen photo
password too weak
use 2 eggs
enter by 5 March
sent 3 texts
got 4 texts
card 7 of 52
visa 30 days
number 1 hit
insta 10k followers
snap 300 streak
4x4 car
R2D2 and C3PO
PS5 or XBOX360
iPhone15Pro case
GTX1660Super
MP3 vs FLAC24
covid19
2 Fast 2 Furious
M25 J10
на 5 минут
в 2020 году
дом 3 этажа
ул большая
на Рождество 2 дня
Пушкинская 2 часа ехать
по Ленина пробка
Чехов 1890 год
на Первом канале
у Некрасова 5 поэм
счёт 7:6
12 кг
рейс 1147
вагон 11
код ревью 3
пароль сложный
пин 4 цифры
шифр простой
введи дату
пришло 3 письма
замок красивый
дверь 80 см
карта лояльности 5%
тг боты
машина 2015
паспорт РФ
полис осаго 7000
заказ 4 пиццы
почта до 19
звони до 22
номер 2 в мире
8 марта
23 февраля
100 из 100
"""
