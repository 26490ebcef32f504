"""What shop 1.10 shows: how many there are of each, too. It writes down what was visited."""

SCHEMA = 2  # the oldest that it can work with
VISITS = "/var/log/shop/visits"


def products(cursor):
    cursor.execute("SELECT name, price, stock FROM product ORDER BY name")
    return [{"name": name, "price": price, "stock": stock} for name, price, stock in cursor.fetchall()]


def check():
    with open(VISITS, "a", encoding="utf-8"):
        pass


def visited(path):
    with open(VISITS, "a", encoding="utf-8") as visits:
        visits.write(path + "\n")
