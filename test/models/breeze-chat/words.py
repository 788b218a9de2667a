"""words.py - the word lists of make_conversations.py, written for it

Names, places and words of questions.jsonl are not in here.
"""

NAMES = """Ada Adam Agnes Alan Albert Alice Amy Andrea Anna Anton Arthur Astrid Barbara Ben Bernard
Bertha Bruno Carl Carla Carmen Cecil Clara Claude Cora Dan Daniel Dora David Edgar Edith Elena Elias
Ella Elsa Emil Emma Eric Erna Esther Eva Felix Flora Frank Frida Fritz George Gerda Greta Gustav Hanna
Harald Heidi Helen Henry Hugo Ida Ines Irene Ivan Jacob James Jane Jean Joan Johan John Jonas Joseph
Judith Julia Julius Karen Karl Kate Kurt Lara Laura Lea Leo Leon Lina Linda Lisa Louis Lucas Lucy
Luis Magda Manuel Marc Maria Mario Marta Martin Mary Max Maya Mia Mina Nadia Nathan Nora Olga
Oliver Omar Oscar Otto Paul Paula Peter Petra Pia Ralph Rita Robert Rosa Ruth Sam Sara Silvia Simon
Sofia Stella Susan Tanja Theo Thomas Tina Tom Ulla Ursula Vera Victor Walter Wanda Wilma Zoe""".split()

PLACES = """Aachen Aleppo Amsterdam Ankara Antwerp Athens Baku Basel Beirut Belfast Bergen Berlin Bern
Bilbao Bogota Bologna Bonn Boston Bremen Brno Brussels Budapest Cadiz Cairo Calais Chicago Cologne
Cork Dakar Dallas Damascus Delhi Denver Dover Dresden Dublin Edinburgh Essen Florence Geneva Genoa
Ghent Glasgow Graz Hamburg Hanoi Havana Helsinki Istanbul Kiel Kyoto Lagos Leeds Leipzig Lima Linz
London Lucerne Lund Lyon Madrid Malmo Manila Mexico Milan Minsk Munich Nairobi Naples Nice Odessa
Oxford Padua Paris Pisa Prague Quito Reims Riga Rome Rouen Salzburg Seville Siena Sofia Stockholm
Sydney Tallinn Tokyo Toronto Trier Tunis Turin Utrecht Valencia Venice Verona Vienna Vilnius Warsaw
York Zagreb""".split()

NOUNS = """apple bag ball basket bed bell bench bicycle bird boat book bottle bowl box bread bridge brush
bucket button cake camera candle card carpet cat chair cheese church clock cloud coat cup curtain desk
dog door dress drum egg engine fence field fish flag flower fork fox garden gate glass goat guitar
hammer hat hen hill horse house island jacket jar key kite knife ladder lake lamp leaf letter lion
map mirror moon mountain mouse nail needle nest onion orange oven owl page paper park pear pen pencil
piano picture pillow pipe plate pond pot rabbit radio ring river road roof room rope rose sail saw
school sheep shell ship shirt shoe shop sofa spoon star stone stove street sun sword table tent
tower town train tree truck vase village violin wall watch wheel wind window wolf wood yard""".split()

ADJECTIVES = """big bright broken calm cheap clean clever cold cool dark deep dry dusty empty fast fat fine
flat fresh full gentle good great happy hard heavy high hot kind large late light little long loud
low lucky narrow new nice old open plain poor proud quick quiet rich rough round sad safe sharp short
shy silent slow small smart smooth soft sour steep strange strong sweet tall thick thin tiny tired
warm weak wet wide wild wise young""".split()

# that someone or something does to something
VERBS = """breaks brings builds burns buys carries catches cleans closes counts cuts draws drops eats fills
finds fixes follows hears hides holds keeps kicks leaves lifts likes loses loves makes misses moves
needs opens paints pulls pushes reads repairs sees sells sends shows takes throws touches turns wants
washes watches wears""".split()

PREPOSITIONS = "above at behind below beside by in inside near on over under".split()

COLOURS = "red blue green yellow black white brown grey pink orange purple silver gold".split()

JOBS = """baker barber builder butcher carpenter clerk cook dancer dentist doctor driver engineer farmer
fisher gardener guard hunter judge lawyer miller miner nurse painter pilot plumber poet porter potter
sailor shepherd singer smith soldier tailor teacher waiter weaver writer""".split()

SPOTS = """kitchen garden cellar attic hall garage office library station market harbour museum school
church stable workshop barn tower bakery theatre hospital hotel""".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

MONTHS = """January February March April May June July August September October November
December""".split()

# what a tool may tell of a place
TOPICS = """weather temperature time population news traffic map tide sunrise sunset humidity pollen noise
rainfall altitude timetable""".split()

DEVICES = "light lamp heater fan radio oven pump alarm printer camera door window blind kettle".split()

# how syllables of made-up words begin, go on and end
ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pl qu r s sh sk st t th tr v w x y z".split() + [""]
VOWELS = "a e i o u ai ea ee ia oo ou".split()
CODAS = ["", "", "", "l", "n", "r", "s", "t", "m", "k", "x", "nd", "rt", "ss", "ck", "ng"]
