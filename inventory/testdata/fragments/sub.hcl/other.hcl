this { is not = an inventory
